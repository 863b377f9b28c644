"""How much happened at the desk, over time and by what: read from the summary tables."""

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
from library.analytics.selectors.disclosure_control import told_groups
from library.analytics.selectors.scope import Scope, periods
from library.catalogue.models import Branch, Category, ItemType
from library.errors import LibraryError
from library.people.models import Borrower, BorrowerCategory

METRICS = DayCount.METRICS
#: By what it is grouped by: the table, its column, and what the column's keys are of.
GROUPS: dict[str, tuple[type[DayCount], str, type[Model] | None]] = {
    "none": (ItemTypeDay, "", None),
    "branch": (ItemTypeDay, "branch", Branch),
    "category": (CategoryDay, "category", Category),
    "item_type": (ItemTypeDay, "item_type", ItemType),
    "borrower_category": (BorrowerCategoryDay, "borrower_category", BorrowerCategory),
}
#: Those whose groups are of people.
_OF_PEOPLE = {"borrower_category"}


class NotCountedError(LibraryError):
    """What is asked for is counted in no summary table."""


@dataclass(frozen=True)
class Group:
    """A branch, a category, an item type or a category of borrowers; without a key, what has none."""

    key: int | None
    code: str
    name: str


Numbers = dict[str, int | None]
"""By metric; None where so few are in the group that somebody could be recognised."""
Table = dict[Group, dict[date, Numbers]]


def counts(
    *,
    scope: Scope,
    interval: str | None = "month",
    group_by: str = "none",
    metrics: Sequence[str] = ("checkouts",),
) -> Table:
    """Return what happened, by group and by the first day of each period.

    Parameters
    ----------
    scope : Scope
    interval : str or None
        One of `INTERVALS`; None puts all days together, under the first of them.
    group_by : str
        One of `GROUPS`.
    metrics : sequence of str
        Of `METRICS`: numbers of checkouts, renewals, checkins, of these the late ones, and holds placed.

    Returns
    -------
    dict
        Groups in order of their names, those without anything left out. Every period has its numbers.

    Raises
    ------
    NotCountedError
        If item types or categories of borrowers are asked for by category of books.
    """
    model, column, _of = GROUPS[group_by]
    if scope.category is not None:
        if group_by in ("item_type", "borrower_category"):
            raise NotCountedError(
                _("Item types and categories of borrowers are not counted by category of books: leave the "
                  "category out."),
                group_by=group_by,
            )  # fmt: skip
        model = CategoryDay
    of_months = (
        model is CategoryDay and tuple(metrics) == ("checkouts",) and _has_whole_months(scope, interval)
    )
    table: type[Model] = CategoryMonth if of_months else model
    day = "month" if of_months else "day"
    rows = table._default_manager.filter(scope.places(category="category" if model is CategoryDay else ""))
    rows = rows.filter(**{f"{day}__gte": scope.start, f"{day}__lte": scope.end}).order_by()
    when = [] if interval is None else ["period"]
    if interval is not None:
        rows = rows.annotate(period=F(day) if interval == "day" else Trunc(day, interval))
    keys = [f"{column}_id"] if column else []
    sums = {f"sum_{metric}": Sum(metric) for metric in metrics}
    found: dict[int | None, dict[date, dict[str, int]]] = defaultdict(dict)
    by = [*when, *keys]
    for row in rows.values(*by).annotate(**sums) if by else [rows.aggregate(**sums)]:
        numbers = {metric: row[f"sum_{metric}"] or 0 for metric in metrics}
        if any(numbers.values()):
            found[row[keys[0]] if keys else None][row.get("period", scope.start)] = numbers
    starts = [scope.start]
    if interval is not None:
        starts = list(periods(start=scope.start, end=scope.end, interval=interval))
    if group_by in _OF_PEOPLE:
        return _of_people(found, starts, metrics)
    all_groups = groups(group_by=group_by, keys=found) if column else [Group(None, "", _("all"))]
    return {
        group: {start: dict(found[group.key].get(start) or dict.fromkeys(metrics, 0)) for start in starts}
        for group in all_groups
    }


def _has_whole_months(scope: Scope, interval: str | None) -> bool:
    """Return whether all that is put together are whole months."""
    ends_a_month = (scope.end + timedelta(days=1)).day == 1
    return interval not in ("day", "week") and scope.start.day == 1 and ends_a_month


def groups(*, group_by: str, keys: Iterable[int | None]) -> list[Group]:
    """Return the groups with some keys, in order of their codes; what has no key comes last.

    Parameters
    ----------
    group_by : str
    keys : iterable of int or None
    """
    wanted = set(keys)
    _table, _column, model = GROUPS[group_by]
    assert model is not None
    if model is Category:
        rows = Category.objects.only("notation", "label_en", "label_zh").order_by("notation")
        found = [Group(row.pk, row.notation, str(row)) for row in rows if row.pk in wanted]
    else:
        named = model._default_manager.order_by("code").values_list("pk", "code", "name")
        found = [Group(*row) for row in named if row[0] in wanted]
    return [*found, Group(None, "", _("none"))] if None in wanted else found


def _of_people(
    found: dict[int | None, dict[date, dict[str, int]]], starts: Sequence[date], metrics: Sequence[str]
) -> Table:
    """Put groups of few people together with those nobody knows of; hide numbers of few."""
    # The borrowers by themselves: that reads an index alone.
    sizes = Borrower.objects.order_by().values_list("category").annotate(number=Count("*"))
    large = {key for key, size in sizes if key is not None and size >= settings.CO_BORROWING_MIN}
    put: dict[int | None, dict[date, dict[str, int]]] = defaultdict(
        lambda: defaultdict(lambda: dict.fromkeys(metrics, 0))
    )
    for key, by_start in found.items():
        for start, numbers in by_start.items():
            into = put[key if key in large else None][start]
            for metric in metrics:
                into[metric] += numbers[metric]
    listed = groups(group_by="borrower_category", keys=put)
    listed = [Group(None, "", _("others and unknown")) if group.key is None else group for group in listed]
    table: Table = {group: {start: {} for start in starts} for group in listed}
    for start in starts:
        for metric in metrics:
            cells = {group: put[group.key][start][metric] for group in listed}
            for group, told in told_groups(cells, least=settings.POPULARITY_MIN).items():
                table[group][start][metric] = told
    return table


def by_season(*, scope: Scope) -> dict[tuple[int, int], float]:
    """Return by month (1 to 12) and ISO weekday (1 to 7) the checkouts on such a day, on average.

    Days on which nothing happened count; pairs of which no day is within the scope are left out.
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
    """Return the row that says up to when events are counted; an unsaved one if nothing was counted yet."""
    return Statistics.objects.first() or Statistics()
