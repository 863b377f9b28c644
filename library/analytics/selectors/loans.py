"""Loan counts over time and by group, read from the summary tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Count, F, Model, Sum
from django.db.models.functions import ExtractIsoWeekDay, ExtractMonth, Trunc
from django.utils.translation import gettext as _

from library.analytics.models import (
    BorrowerCategoryDay,
    CategoryDay,
    CategoryMonth,
    DayCount,
    ItemTypeDay,
    Statistics,
)
from library.analytics.selectors.disclosure_control import suppress_small_cells
from library.analytics.selectors.scope import Scope, periods
from library.catalogue.models import Branch, Category, ItemType
from library.errors import LibraryError
from library.people.models import Borrower, BorrowerCategory

METRICS = DayCount.METRICS
#: The summary table, its column and the column's model, by grouping.
GROUPINGS: dict[str, tuple[type[DayCount], str, type[Model] | None]] = {
    "none": (ItemTypeDay, "", None),
    "branch": (ItemTypeDay, "branch", Branch),
    "category": (CategoryDay, "category", Category),
    "item_type": (ItemTypeDay, "item_type", ItemType),
    "borrower_category": (BorrowerCategoryDay, "borrower_category", BorrowerCategory),
}
#: Groupings whose groups consist of people.
_OF_PEOPLE = {"borrower_category"}


class UnsupportedGroupingError(LibraryError):
    """The requested combination is in no summary table."""


@dataclass(frozen=True)
class Group:
    """A branch, category, item type or borrower category; without a key, the events that have none."""

    key: int | None
    code: str
    name: str


Numbers = dict[str, int | None]
"""Counts by metric; None where a person could be recognised."""
CountTable = dict[Group, dict[date, Numbers]]
"""Counts by group and by the first day of each period."""
_Counts = dict[int | None, dict[date, dict[str, int]]]


def counts(
    *,
    scope: Scope,
    interval: str | None = "month",
    group_by: str = "none",
    metrics: Sequence[str] = ("checkouts",),
) -> CountTable:
    """Return event counts by group and period.

    Parameters
    ----------
    interval
        One of `INTERVALS`; None combines all days under the first one.
    group_by
        One of `GROUPINGS`.
    metrics
        Some of `METRICS`: checkouts, renewals, checkins, late checkins and holds placed.

    Returns
    -------
    CountTable
        Groups in order of their codes, without empty groups. Every period has its numbers.

    Raises
    ------
    UnsupportedGroupingError
        If item types or borrower categories are requested for one book category.
    """
    model, column, _of = GROUPINGS[group_by]
    if scope.category is not None:
        if group_by in ("item_type", "borrower_category"):
            raise UnsupportedGroupingError(
                _("Item types and borrower categories cannot be broken down by book category. Clear "
                    "the category filter."),
                group_by=group_by,
            )  # fmt: skip
        model = CategoryDay
    by_month = (
        model is CategoryDay and tuple(metrics) == ("checkouts",) and _has_whole_months(scope, interval)
    )
    table: type[Model] = CategoryMonth if by_month else model
    day = "month" if by_month else "day"
    rows = table._default_manager.filter(scope.places(category="category" if model is CategoryDay else ""))
    rows = rows.filter(**{f"{day}__gte": scope.start, f"{day}__lte": scope.end}).order_by()
    if interval is not None:
        rows = rows.annotate(period=F(day) if interval == "day" else Trunc(day, interval))
    keys = [f"{column}_id"] if column else []
    sums = {f"sum_{metric}": Sum(metric) for metric in metrics}
    found: _Counts = defaultdict(dict)
    by = [*([] if interval is None else ["period"]), *keys]
    for row in rows.values(*by).annotate(**sums) if by else [rows.aggregate(**sums)]:
        numbers = {metric: row[f"sum_{metric}"] or 0 for metric in metrics}
        if any(numbers.values()):
            found[row[keys[0]] if keys else None][row.get("period", scope.start)] = numbers
    starts = [scope.start]
    if interval is not None:
        starts = list(periods(start=scope.start, end=scope.end, interval=interval))
    if group_by in _OF_PEOPLE:
        return _protect_people(found, starts, metrics)
    all_groups = groups(group_by=group_by, keys=found) if column else [Group(None, "", _("all"))]
    return {
        group: {start: dict(found[group.key].get(start) or dict.fromkeys(metrics, 0)) for start in starts}
        for group in all_groups
    }


def _has_whole_months(scope: Scope, interval: str | None) -> bool:
    ends_a_month = (scope.end + timedelta(days=1)).day == 1
    return interval not in ("day", "week") and scope.start.day == 1 and ends_a_month


def groups(*, group_by: str, keys: Iterable[int | None]) -> list[Group]:
    """Return the groups with these keys in order of their codes; the group without a key comes last."""
    wanted = set(keys)
    _table, _column, model = GROUPINGS[group_by]
    assert model is not None
    if model is Category:
        rows = Category.objects.only("notation", "label_en", "label_zh").order_by("notation")
        named = [Group(row.pk, row.notation, str(row)) for row in rows if row.pk in wanted]
    else:
        values = model._default_manager.order_by("code").values_list("pk", "code", "name")
        named = [Group(*row) for row in values if row[0] in wanted]
    return [*named, Group(None, "", _("none"))] if None in wanted else named


def _protect_people(found: _Counts, starts: Sequence[date], metrics: Sequence[str]) -> CountTable:
    """Merge small borrower categories with the unknown one, and hide small counts."""
    # The borrowers alone: the query reads only an index.
    sizes = Borrower.objects.order_by().values_list("category").annotate(number=Count("*"))
    large = {key for key, size in sizes if key is not None and size >= settings.CO_BORROWING_MIN}
    merged: _Counts = defaultdict(lambda: defaultdict(lambda: dict.fromkeys(metrics, 0)))
    for key, by_start in found.items():
        for start, numbers in by_start.items():
            cell = merged[key if key in large else None][start]
            for metric in metrics:
                cell[metric] += numbers[metric]
    shown = groups(group_by="borrower_category", keys=merged)
    shown = [Group(None, "", _("Other and unknown")) if group.key is None else group for group in shown]
    table: CountTable = {group: {start: {} for start in starts} for group in shown}
    for start in starts:
        for metric in metrics:
            cells = {group: merged[group.key][start][metric] for group in shown}
            for group, number in suppress_small_cells(cells, minimum=settings.POPULARITY_MIN).items():
                table[group][start][metric] = number
    return table


def by_season(*, scope: Scope) -> dict[tuple[int, int], float]:
    """Return the average checkouts per day by month (1 to 12) and ISO weekday (1 to 7).

    Days without events count. Pairs without a day in the scope are absent.
    """
    model = ItemTypeDay if scope.category is None else CategoryDay
    rows = model._default_manager.filter(scope.places(category="category" if model is CategoryDay else ""))
    rows = rows.filter(day__gte=scope.start, day__lte=scope.end).order_by()
    keys = {"month": ExtractMonth("day"), "weekday": ExtractIsoWeekDay("day")}
    sums = {
        (row["month"], row["weekday"]): row["sum"]
        for row in rows.annotate(**keys).values(*keys).annotate(sum=Sum("checkouts"))
    }
    days: dict[tuple[int, int], int] = defaultdict(int)
    for day in periods(start=scope.start, end=scope.end, interval="day"):
        days[day.month, day.isoweekday()] += 1
    return {key: sums.get(key, 0) / number for key, number in days.items()}


def freshness() -> Statistics:
    """Return the row with the time of the last refresh; an unsaved one before the first refresh."""
    return Statistics.objects.first() or Statistics()
