"""The summary tables are brought up to date: days whose events changed are counted anew, and no others.

Which days changed is seen by comparing each day's numbers of events with those it had when it was counted: so
an event that comes late, out of an import of years ago, counts like any other, and none counts twice. Numbers
are compared and not keys: a transaction that began long ago may write lower keys than one that has ended.

The numbers of a day are read before the day is counted, and kept with it. What comes in between makes them
differ at the next refresh, which counts the day again. Whoever writes locks the row of `Statistics`.
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
from library.analytics.services.tables import insert_rows, writing_alone
from library.catalogue.models import Book
from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import start_of_day
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches

KIND = LoanEvent.Kind
COUNTED = (KIND.CHECKOUT, KIND.RENEWAL, KIND.CHECKIN, KIND.HOLD_PLACED)
ROWS_A_QUERY = 2_000
#: By table, what it counts by beside the day and the branch: its column, and where an event has it.
TABLES: dict[type[DayCount], tuple[str, str]] = {
    CategoryDay: ("category_id", "book__category"),
    ItemTypeDay: ("item_type_id", "item_type"),
    BorrowerCategoryDay: ("borrower_category_id", "borrower_category"),
}
_METRICS = {
    "checkouts": Count("pk", filter=Q(kind=KIND.CHECKOUT)),
    "renewals": Count("pk", filter=Q(kind=KIND.RENEWAL)),
    "checkins": Count("pk", filter=Q(kind=KIND.CHECKIN)),
    "late": Count("pk", filter=Q(kind=KIND.CHECKIN, loan__due_at__lt=F("at"))),
    "holds": Count("pk", filter=Q(kind=KIND.HOLD_PLACED)),
}


class Signature(NamedTuple):
    """What a day's events are compared by; the columns of `CountedDay`."""

    events: int
    with_category: int
    with_loan: int


def refresh_statistics(*, now: datetime, progress: Progress = no_progress) -> dict[str, Any]:
    """Bring all summary tables up to date.

    May be stopped at any moment and run again, and run by several at once: what is counted is written with
    the mark that it is, in one transaction for each month.

    Parameters
    ----------
    now : datetime
    progress : Progress

    Returns
    -------
    dict
        How many `days` and `titles` were counted anew, and of how many `events` in all.
    """
    found = _signatures()
    _refile()
    counted = {
        row.pk: Signature(row.events, row.with_category, row.with_loan) for row in CountedDay.objects.all()
    }
    days = sorted(day for day in found.keys() | counted.keys() if found.get(day) != counted.get(day))
    for changed in batches(days, KEYS_A_QUERY):
        with writing_alone():
            # From here on they are to be counted, whatever happens to this process.
            CountedDay.objects.filter(day__in=changed).delete()
    titles = _count_titles(days, progress)
    done = 0
    for _month, some in groupby(days, key=lambda day: (day.year, day.month)):
        of_month = list(some)
        with writing_alone():
            _count_days(of_month, {day: found[day] for day in of_month if day in found})
            count_borrowers(month=of_month[0].replace(day=1))
        done += len(of_month)
        progress("counting days", done, len(days))
    _add_unused_titles()
    count_holdings()
    Statistics.objects.filter(Q(refreshed_at=None) | Q(refreshed_at__lt=now)).update(refreshed_at=now)
    return {"days": len(days), "titles": titles, "events": sum(day.events for day in found.values())}


def _day() -> TruncDate:
    return TruncDate("at", tzinfo=get_default_timezone())


def _events() -> QuerySet[LoanEvent]:
    return LoanEvent.objects.filter(kind__in=COUNTED).order_by()


def _in_days(days: list[date]) -> QuerySet[LoanEvent]:
    """Return the events of some days of one month, or of few days."""
    return _events().filter(
        at__gte=start_of_day(day=min(days)), at__lt=start_of_day(day=max(days) + timedelta(days=1))
    )


def _signatures() -> dict[date, Signature]:
    rows = _events().annotate(day=_day()).values_list("day")
    counts = rows.annotate(Count("pk"), Count("borrower_category"), Count("loan"))
    return {day: Signature(*numbers) for day, *numbers in counts}


def _refile() -> None:
    """Have the days counted anew of titles that are filed under another category now."""
    moved = TitleUse.objects.exclude(category=F("book__category")).exclude(category=None, book__category=None)
    for books in batches(moved.order_by("pk").values_list("pk", flat=True), KEYS_A_QUERY):
        with writing_alone():
            categories = dict(Book.objects.filter(pk__in=books).values_list("pk", "category"))
            days = (
                _events().filter(book__in=books).annotate(day=_day()).values_list("day", flat=True).distinct()
            )
            for some in batches(days, KEYS_A_QUERY):
                CountedDay.objects.filter(day__in=some).delete()
            uses = [TitleUse(pk=book, category_id=category) for book, category in categories.items()]
            TitleUse.objects.bulk_update(uses, ["category"], batch_size=KEYS_A_QUERY)


def _count_titles(days: list[date], progress: Progress) -> int:
    """Count anew, over all times, the titles with events on some days; return how many."""
    books: set[int] = set()
    for _month, some in groupby(days, key=lambda day: (day.year, day.month)):
        of_month = list(some)
        rows = _in_days(of_month).annotate(day=_day()).filter(day__in=of_month)
        books.update(rows.values_list("book", flat=True).distinct())
    done = 0
    for keys in batches(sorted(books), KEYS_A_QUERY):
        with writing_alone():
            categories = dict(Book.objects.filter(pk__in=keys).values_list("pk", "category"))
            lent = LoanEvent.objects.filter(book__in=keys, kind=KIND.CHECKOUT).order_by()
            uses = {
                book: (number, last.astimezone(get_default_timezone()).date())
                for book, number, last in lent.values_list("book").annotate(Count("pk"), Max("at"))
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
                batch_size=ROWS_A_QUERY,
                update_conflicts=True,
                unique_fields=["book"],
                # Not the category: `_refile` changes that, together with the days.
                update_fields=["checkouts", "last_checkout"],
            )
        done += len(keys)
        progress("counting titles", done, len(books))
    return len(books)


def _count_days(days: list[date], found: dict[date, Signature]) -> None:
    """Write what happened on some days of one month anew, within the caller's transaction."""
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
    CountedDay.objects.bulk_create(CountedDay(day=day, **numbers._asdict()) for day, numbers in found.items())


def _sum_month(month: date) -> None:
    """Put the days of a month together anew."""
    CategoryMonth.objects.filter(month=month).delete()
    days = CategoryDay.objects.filter(day__gte=month, day__lt=next_period(start=month, interval="month"))
    named = days.order_by().annotate(month=Value(month, DateField()))
    rows = named.values_list("month", "branch", "category").annotate(Sum("checkouts"))
    insert_rows(into=CategoryMonth, columns=("month", "branch_id", "category_id", "checkouts"), rows=rows)


def _add_unused_titles() -> None:
    """Let every title have its row, so that those never lent are found by an index."""
    with writing_alone():
        new = Book.objects.filter(use=None).order_by().annotate(checkouts=Value(0))
        insert_rows(
            into=TitleUse,
            columns=("book_id", "category_id", "checkouts"),
            rows=new.values_list("pk", "category", "checkouts"),
        )
