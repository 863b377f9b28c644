"""The summary tables are brought up to date: days whose events changed are counted anew, and no others.

Which days changed is seen by comparing each day's numbers of events with those it had when it was counted: so
an event that comes late, out of an import of years ago, counts like any other, and none counts twice. Numbers
are compared and not keys: a transaction that began long ago may write lower keys than one that has ended.

The numbers of a day are read before the day is counted, and kept with it. What comes in between makes them
differ at the next refresh, which counts the day again. Whoever writes locks the row of `Statistics`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils.timezone import get_default_timezone

from library.analytics.models import (
    BorrowerCategoryDay,
    CategoryDay,
    CountedDay,
    DayCount,
    ItemTypeDay,
    Statistics,
    TitleUse,
)
from library.analytics.services.months import count_borrowers
from library.catalogue.models import Book
from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import start_of_day
from library.console import Progress, no_progress
from library.tabular import KEYS_A_QUERY, batches

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
        with _alone():
            # From here on they are to be counted, whatever happens to this process.
            CountedDay.objects.filter(day__in=changed).delete()
    titles = _count_titles(days, progress)
    done = 0
    for _month, some in groupby(days, key=lambda day: (day.year, day.month)):
        of_month = list(some)
        with _alone():
            _count_days(of_month, {day: found[day] for day in of_month if day in found})
            count_borrowers(month=of_month[0].replace(day=1))
        done += len(of_month)
        progress("counting days", done, len(days))
    Statistics.objects.get_or_create(pk=1)
    Statistics.objects.filter(Q(refreshed_at=None) | Q(refreshed_at__lt=now)).update(refreshed_at=now)
    return {"days": len(days), "titles": titles, "events": sum(day.events for day in found.values())}


@contextmanager
def _alone() -> Iterator[None]:
    """Open a transaction while which nobody else writes the summary tables."""
    with transaction.atomic():
        Statistics.objects.get_or_create(pk=1)
        Statistics.objects.select_for_update().get(pk=1)
        yield


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
        with _alone():
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
        with _alone():
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
        _insert(
            model,
            ("day", "branch_id", column, *_METRICS),
            events.values_list("day", "branch", path).annotate(**_METRICS),
        )
    CountedDay.objects.filter(day__in=days).delete()
    CountedDay.objects.bulk_create(CountedDay(day=day, **numbers._asdict()) for day, numbers in found.items())


def _insert(model: type[DayCount], columns: tuple[str, ...], rows: QuerySet[Any, Any]) -> None:
    """Write the rows of a query into a table within the database, which takes a tenth of the time."""
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(  # the text has nothing of the data in it
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) {sql}",
            values,
        )
