"""Hold queues."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from library.catalogue.models import Book, Copy
from library.circulation.models import Hold
from library.circulation.selectors.calendar import library_date, start_of_day


def hold_queue(*, book: Book) -> list[Hold]:
    """Return the active holds of a title in queue order."""
    return in_order(Hold.objects.filter(book=book, status__in=Hold.ACTIVE))


def count_waiting_holds(*, book: int) -> int:
    """Return the number of active holds of a title without a copy, by the key of the book."""
    return Hold.objects.filter(book=book, status__in=Hold.ACTIVE, copy=None).count()


def in_order(holds: Iterable[Hold]) -> list[Hold]:
    """Return holds in queue order."""
    return sorted(holds, key=lambda hold: (hold.position, hold.pk))


def is_waiting(*, hold: Hold, today: date) -> bool:
    """Return whether a hold can take the next copy: it has none and is not suspended today."""
    if hold.copy_id is not None:
        return False
    if hold.status == Hold.Status.SUSPENDED:
        return hold.suspended_until is not None and hold.suspended_until <= today
    return hold.status == Hold.Status.WAITING


def is_reserved_for_others(
    *, book_id: int, borrower_id: int, queue: Sequence[Hold], wanted: int, today: date
) -> bool:
    """Return whether earlier holds in the queue need the copies on the shelf.

    Copies on the shelf belong to the first holds in the queue; a borrower without a hold comes last.

    Parameters
    ----------
    queue
        Active holds of the title, in queue order.
    wanted
        Number of copies that the borrower would take off the shelf: 1 for a checkout, 0 for a renewal.
    """
    earlier = 0
    for hold in queue:
        if hold.borrower_id == borrower_id:
            break
        earlier += is_waiting(hold=hold, today=today)
    if not earlier:
        return False
    return Copy.objects.filter(book=book_id, status=Copy.Status.AVAILABLE).count() - earlier < wanted


def last_day_on_shelf(*, ready_at: datetime) -> date:
    """Return the last day on which a copy stays on the hold shelf (HOLD_SHELF_DAYS)."""
    return library_date(at=ready_at) + timedelta(days=settings.HOLD_SHELF_DAYS)


def unclaimed_holds(*, now: datetime) -> QuerySet[Hold]:
    """Return the holds whose copy was not collected within HOLD_SHELF_DAYS."""
    oldest = library_date(at=now) - timedelta(days=settings.HOLD_SHELF_DAYS)
    return Hold.objects.filter(status=Hold.Status.READY, ready_at__lt=start_of_day(day=oldest))


def holds_to_resume(*, now: datetime) -> QuerySet[Hold]:
    """Return the holds whose suspension is over."""
    return Hold.objects.filter(status=Hold.Status.SUSPENDED, suspended_until__lte=library_date(at=now))
