"""Incremental refresh of the summary tables: count only the days whose events have changed.

A day has changed if its event numbers differ from those stored when it was last counted. So a late event,
such as one imported from years ago, counts like any other, and no event counts twice. The comparison uses
numbers, not keys, because a transaction that began long ago may write lower keys than one that has already
committed.

The numbers of a day are read before the day is counted and stored with it. Events that arrive in between make
them differ at the next refresh, which counts the day again. Every writer locks the row of `Statistics`.
"""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import Count, DateField, F, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate
from django.utils.timezone import get_default_timezone

from library.analytics.models import (
    BorrowerCategoryDay,
    CategoryDay,
    CategoryMonth,
    CountedDay,
    DayCount,
    ItemTypeDay,
    Statistics,
    TitleUse,
)
from library.analytics.selectors.scope import next_period
from library.analytics.services.holdings import count_holdings
from library.analytics.services.months import count_borrowers
from library.analytics.services.tables import exclusive_write, insert_rows
from library.catalogue.models import Book
from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import start_of_day
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches

KIND = LoanEvent.Kind
COUNTED = (KIND.CHECKOUT, KIND.RENEWAL, KIND.CHECKIN, KIND.HOLD_PLACED)
ROWS_PER_QUERY = 2_000
#: The grouping column of each table, and its path from an event.
TABLES: dict[type[DayCount], tuple[str, str]] = {
    CategoryDay: ("category_id", "book__category"),
    ItemTypeDay: ("item_type_id", "item_type"),
    BorrowerCategoryDay: ("borrower_category_id", "borrower_category"),
}
_METRICS = {
    "checkouts": Count("pk", filter=Q(kind=KIND.CHECKOUT)),
    "renewals": Count("pk", filter=Q(kind=KIND.RENEWAL)),
    "checkins": Count("pk", filter=Q(kind=KIND.CHECKIN)),
    "late": Count("pk", filter=Q(kind=KIND.CHECKIN, loan__due_at__lt=F("occurred_at"))),
    "holds": Count("pk", filter=Q(kind=KIND.HOLD_PLACED)),
}


class Signature(NamedTuple):
    """Event numbers that show whether a day has changed; the columns of `CountedDay`."""

    events: int
    with_category: int
    with_loan: int


def refresh_statistics(*, now: datetime, progress: Progress = no_progress) -> dict[str, Any]:
    """Update all summary tables.

    The refresh may stop at any moment and run several times at once: one transaction for each month writes
    the counts together with the record that they are up to date.

    Returns
    -------
    dict
        ``days`` and ``titles`` counted, and the total number of ``events``.
    """
    current = _signatures()
    _invalidate_moved_titles()
    counted = {
        row.pk: Signature(row.events, row.with_category, row.with_loan) for row in CountedDay.objects.all()
    }
    days = sorted(day for day in current.keys() | counted.keys() if current.get(day) != counted.get(day))
    for changed in batches(days, KEYS_PER_QUERY):
        with exclusive_write():
            # From here on these days must be counted, even if this process dies.
            CountedDay.objects.filter(day__in=changed).delete()
    titles = _count_titles(days, progress)
    done = 0
    for month_days in _by_month(days):
        with exclusive_write():
            _count_days(month_days, {day: current[day] for day in month_days if day in current})
            count_borrowers(month=month_days[0].replace(day=1))
        done += len(month_days)
        progress("counting days", done, len(days))
    _add_unused_titles()
    count_holdings()
    Statistics.objects.filter(Q(refreshed_at=None) | Q(refreshed_at__lt=now)).update(refreshed_at=now)
    return {"days": len(days), "titles": titles, "events": sum(day.events for day in current.values())}


def _by_month(days: list[date]) -> list[list[date]]:
    return [list(group) for _month, group in groupby(days, key=lambda day: (day.year, day.month))]


def _day() -> TruncDate:
    return TruncDate("occurred_at", tzinfo=get_default_timezone())


def _events() -> QuerySet[LoanEvent]:
    return LoanEvent.objects.filter(kind__in=COUNTED).order_by()


def _in_days(days: list[date]) -> QuerySet[LoanEvent]:
    return _events().filter(
        occurred_at__gte=start_of_day(day=min(days)),
        occurred_at__lt=start_of_day(day=max(days) + timedelta(days=1)),
    )


def _signatures() -> dict[date, Signature]:
    rows = _events().annotate(day=_day()).values_list("day")
    counts = rows.annotate(Count("pk"), Count("borrower_category"), Count("loan"))
    return {day: Signature(*numbers) for day, *numbers in counts}


def _invalidate_moved_titles() -> None:
    """Mark the days of titles that have moved to another category for counting."""
    moved = TitleUse.objects.exclude(category=F("book__category")).exclude(category=None, book__category=None)
    for books in batches(moved.order_by("pk").values_list("pk", flat=True), KEYS_PER_QUERY):
        with exclusive_write():
            categories = dict(Book.objects.filter(pk__in=books).values_list("pk", "category"))
            days = (
                _events().filter(book__in=books).annotate(day=_day()).values_list("day", flat=True).distinct()
            )
            for batch in batches(days, KEYS_PER_QUERY):
                CountedDay.objects.filter(day__in=batch).delete()
            uses = [TitleUse(pk=book, category_id=category) for book, category in categories.items()]
            TitleUse.objects.bulk_update(uses, ["category"], batch_size=KEYS_PER_QUERY)


def _count_titles(days: list[date], progress: Progress) -> int:
    books: set[int] = set()
    for month_days in _by_month(days):
        rows = _in_days(month_days).annotate(day=_day()).filter(day__in=month_days)
        books.update(rows.values_list("book", flat=True).distinct())
    done = 0
    for keys in batches(sorted(books), KEYS_PER_QUERY):
        with exclusive_write():
            categories = dict(Book.objects.filter(pk__in=keys).values_list("pk", "category"))
            checkouts = LoanEvent.objects.filter(book__in=keys, kind=KIND.CHECKOUT).order_by()
            uses = {
                book: (number, last.astimezone(get_default_timezone()).date())
                for book, number, last in checkouts.values_list("book").annotate(
                    Count("pk"), Max("occurred_at")
                )
            }
            TitleUse.objects.bulk_create(
                (
                    TitleUse(
                        book_id=book,
                        category_id=category,
                        checkouts=uses.get(book, (0, None))[0],
                        last_checkout=uses.get(book, (0, None))[1],
                    )
                    for book, category in categories.items()
                ),
                batch_size=ROWS_PER_QUERY,
                update_conflicts=True,
                unique_fields=["book"],
                # Not the category: `_invalidate_moved_titles` changes it together with the days.
                update_fields=["checkouts", "last_checkout"],
            )
        done += len(keys)
        progress("counting titles", done, len(books))
    return len(books)


def _count_days(days: list[date], signatures: dict[date, Signature]) -> None:
    """Replace the counts of some days of one month, within the caller's transaction."""
    events = _in_days(days).annotate(day=_day()).filter(day__in=days)
    for model, (column, path) in TABLES.items():
        model._default_manager.filter(day__in=days).delete()
        insert_rows(
            into=model,
            columns=("day", "branch_id", column, *_METRICS),
            rows=events.values_list("day", "branch", path).annotate(**_METRICS),
        )
    _sum_month(days[0].replace(day=1))
    CountedDay.objects.filter(day__in=days).delete()
    CountedDay.objects.bulk_create(
        CountedDay(day=day, **numbers._asdict()) for day, numbers in signatures.items()
    )


def _sum_month(month: date) -> None:
    CategoryMonth.objects.filter(month=month).delete()
    days = CategoryDay.objects.filter(day__gte=month, day__lt=next_period(start=month, interval="month"))
    with_month = days.order_by().annotate(month=Value(month, DateField()))
    rows = with_month.values_list("month", "branch", "category").annotate(Sum("checkouts"))
    insert_rows(into=CategoryMonth, columns=("month", "branch_id", "category_id", "checkouts"), rows=rows)


def _add_unused_titles() -> None:
    """Add rows for titles without events, so that an index finds the titles never borrowed."""
    with exclusive_write():
        new = Book.objects.filter(use=None).order_by().annotate(checkouts=Value(0))
        insert_rows(
            into=TitleUse,
            columns=("book_id", "category_id", "checkouts"),
            rows=new.values_list("pk", "category", "checkouts"),
        )
