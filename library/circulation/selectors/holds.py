"""The queue for a title."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from library.catalogue.models import Book, Copy
from library.circulation.models import Hold
from library.circulation.selectors.calendar import library_date, start_of_day


def queue_of(*, book: Book) -> list[Hold]:
    """Return the active holds of a title in the order of the queue."""
    return in_order(Hold.objects.filter(book=book, status__in=Hold.ACTIVE))


def number_waiting(*, book: int) -> int:
    """Return how many active holds of a title have no copy yet, by the key of the book."""
    return Hold.objects.filter(book=book, status__in=Hold.ACTIVE, copy=None).count()


def in_order(holds: Iterable[Hold]) -> list[Hold]:
    """Return holds as they stand in the queue."""
    return sorted(holds, key=lambda hold: (hold.position, hold.pk))


def is_waiting(*, hold: Hold, today: date) -> bool:
    """Return whether the next copy may be given to a hold: it has none, and is not suspended today."""
    if hold.copy_id is not None:
        return False
    if hold.status == Hold.Status.SUSPENDED:
        return hold.suspended_until is not None and hold.suspended_until <= today
    return hold.status == Hold.Status.WAITING


def is_spoken_for(*, book_id: int, borrower_id: int, queue: Sequence[Hold], wanted: int, today: date) -> bool:
    """Return whether too few copies stand on the shelves for those who wait before this borrower.

    The copies on the shelves belong to the first of the queue; a borrower without a hold comes last.

    Parameters
    ----------
    book_id, borrower_id : int
    queue : sequence of Hold
        The title's active holds, in order.
    wanted : int
        How many the borrower would take off the shelves: 1 to check one out, 0 to keep one longer.
    today : date

    Returns
    -------
    bool
    """
    before = 0
    for hold in queue:
        if hold.borrower_id == borrower_id:
            break
        before += is_waiting(hold=hold, today=today)
    if not before:
        return False
    return Copy.objects.filter(book=book_id, status=Copy.Status.AVAILABLE).count() - before < wanted


def last_day_on_shelf(*, ready_at: datetime) -> date:
    """Return the last day on which a copy that became ready then is kept (HOLD_SHELF_DAYS)."""
    return library_date(at=ready_at) + timedelta(days=settings.HOLD_SHELF_DAYS)


def holds_not_fetched(*, now: datetime) -> QuerySet[Hold]:
    """Return the holds whose copy has lain on the hold shelf for too long."""
    first_in_time = library_date(at=now) - timedelta(days=settings.HOLD_SHELF_DAYS)
    return Hold.objects.filter(status=Hold.Status.READY, ready_at__lt=start_of_day(day=first_in_time))


def holds_to_wake(*, now: datetime) -> QuerySet[Hold]:
    """Return the suspended holds that count as waiting again from today on."""
    return Hold.objects.filter(status=Hold.Status.SUSPENDED, suspended_until__lte=library_date(at=now))
