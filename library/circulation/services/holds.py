"""Place, cancel, expire, suspend, resume and reorder holds."""

from collections.abc import Sequence
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Book, Branch, Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.selectors.calendar import library_date
from library.circulation.selectors.holds import last_day_on_shelf
from library.circulation.selectors.policies import policy_in_force
from library.circulation.services.eligibility import blocks
from library.circulation.services.events import record_hold_event
from library.circulation.services.locks import (
    load_borrower,
    lock_book,
    lock_borrower,
    lock_copy,
    lock_queue,
    update_row,
)
from library.circulation.services.refusals import CirculationRefused, Reason, raise_if_refused
from library.circulation.services.transits import Routing, route_copy
from library.people.models import Borrower


def place_hold(*, book: Book, borrower: Borrower, pickup_branch: Branch | None, now: datetime) -> Hold:
    """Place a hold at the end of the queue for a title.

    The hold limit is that of the policy for the pickup branch and the item type of the title. If its copies
    have several item types, the highest limit applies.

    Parameters
    ----------
    pickup_branch
        None means the branch where the copy is checked in.

    Raises
    ------
    CirculationRefused
        `blocked`, `overdue_fines`, `hold_exists`, `already_on_loan`, `not_available`, `holds_limit_reached`.
    NoPolicyError
    """
    with transaction.atomic():
        borrower = lock_borrower(pk=borrower.pk)
        book = lock_book(pk=book.pk)
        queue = lock_queue(book_id=book.pk)
        reasons = blocks(borrower=borrower)
        if any(hold.borrower_id == borrower.pk for hold in queue):
            reasons.append(Reason("hold_exists", _("The borrower already has a hold on this title.")))
        if Loan.objects.filter(copy__book=book, borrower=borrower, returned_at=None).exists():
            reasons.append(Reason("already_on_loan", _("The borrower already has this title on loan.")))
        reasons += _no_copy_or_over_limit(book, borrower, pickup_branch)
        raise_if_refused(reasons)
        hold = Hold.objects.create(
            book=book,
            borrower=borrower,
            pickup_branch=pickup_branch,
            placed_at=now,
            position=queue[-1].position + 1 if queue else 1,
        )
        record_hold_event(kind=LoanEvent.Kind.HOLD_PLACED, occurred_at=now, hold=hold)
    return hold


def cancel_hold(*, hold: Hold, now: datetime) -> Routing | None:
    """Cancel a hold; its copy on the hold shelf goes to the next hold.

    Returns
    -------
    Routing or None
        Next step for the copy on the hold shelf; None if there is none. A copy in transit is routed on
        arrival.

    Raises
    ------
    CirculationRefused
        `hold_not_active`.
    """
    return _end(hold, Hold.Status.CANCELLED, LoanEvent.Kind.HOLD_CANCELLED, now)


def expire_hold(*, hold: Hold, now: datetime) -> Routing | None:
    """Expire a hold whose copy was not collected in time; the copy goes to the next hold.

    Raises
    ------
    CirculationRefused
        `hold_not_active`; `not_expired` if the copy has not been on the hold shelf for HOLD_SHELF_DAYS.
    """
    return _end(hold, Hold.Status.EXPIRED, LoanEvent.Kind.HOLD_EXPIRED, now)


def suspend_hold(*, hold: Hold, until: date | None, now: datetime) -> Hold:
    """Suspend a hold; it keeps its place in the queue.

    Parameters
    ----------
    until
        First day on which the hold waits again; None means until it is resumed.

    Raises
    ------
    CirculationRefused
        `hold_not_active`, `hold_has_copy`, `until_not_later`.
    """
    with transaction.atomic():
        locked, _queue = _lock_active(hold)
        reasons: list[Reason] = []
        if locked.copy_id is not None:
            text = _("A copy is already set aside for this hold. Cancel the hold if it is no longer needed.")
            reasons.append(Reason("hold_has_copy", text))
        if until is not None and until <= library_date(at=now):
            reasons.append(Reason("until_not_later", _("Enter a future date for the end of the suspension.")))
        raise_if_refused(reasons)
        _change(locked, Hold.Status.SUSPENDED, suspended_until=until)
        record_hold_event(kind=LoanEvent.Kind.HOLD_SUSPENDED, occurred_at=now, hold=locked)
    return locked


def resume_hold(*, hold: Hold, now: datetime) -> Hold:
    """Resume a suspended hold in its place in the queue.

    Raises
    ------
    CirculationRefused
        `hold_not_active`, `hold_not_suspended`.
    """
    with transaction.atomic():
        locked, _queue = _lock_active(hold)
        if locked.status != Hold.Status.SUSPENDED:
            raise_if_refused([Reason("hold_not_suspended", _("The hold is not suspended."))])
        _change(locked, Hold.Status.WAITING, suspended_until=None)
        record_hold_event(kind=LoanEvent.Kind.HOLD_RESUMED, occurred_at=now, hold=locked)
    return locked


def reorder_hold(*, hold: Hold, position: int, now: datetime) -> Hold:
    """Move a hold to another position in the queue: 1 is first, anything past the end is last.

    Raises
    ------
    CirculationRefused
        `hold_not_active`.
    """
    with transaction.atomic():
        locked, queue = _lock_active(hold)
        others = [other for other in queue if other.pk != locked.pk]
        index = max(0, position - 1)
        for place, queued in enumerate([*others[:index], locked, *others[index:]], start=1):
            if queued.position != place:
                update_row(Hold.objects.filter(pk=queued.pk, status=queued.status), position=place)
                queued.position = place
        record_hold_event(kind=LoanEvent.Kind.HOLD_REORDERED, occurred_at=now, hold=locked)
    return locked


def fulfil(*, loan: Loan, queue: Sequence[Hold], now: datetime) -> None:
    """Fulfil the borrower's hold on the title of a loan, within the transaction and locks of its checkout."""
    hold = next((hold for hold in queue if hold.borrower_id == loan.borrower_id), None)
    if hold is None:
        return
    hold.borrower = loan.borrower
    set_aside = hold.copy
    ready = hold.status == Hold.Status.READY
    _change(hold, Hold.Status.FULFILLED, copy=loan.copy, suspended_until=None)
    record_hold_event(kind=LoanEvent.Kind.HOLD_FULFILLED, occurred_at=now, hold=hold, copy=loan.copy)
    if set_aside and ready and set_aside.pk != loan.copy_id:
        rest = [other for other in queue if other.pk != hold.pk]
        route_copy(copy=lock_copy(copy=set_aside), branch=hold.pickup_branch, queue=rest, now=now)


def release(*, copy: Copy, queue: Sequence[Hold]) -> None:
    """Return the hold of an unavailable copy to waiting, within the caller's transaction and locks."""
    for hold in queue:
        if hold.copy_id == copy.pk:
            _change(hold, Hold.Status.WAITING, copy=None, ready_at=None)


def _end(hold: Hold, status: Hold.Status, event: LoanEvent.Kind, now: datetime) -> Routing | None:
    with transaction.atomic():
        locked, queue = _lock_active(hold)
        if status == Hold.Status.EXPIRED and not _is_past_shelf_time(locked, now):
            text = _("The copy has not been on the hold shelf for %(days)s days yet.")
            raise_if_refused([Reason("not_expired", text % {"days": settings.HOLD_SHELF_DAYS})])
        copy = locked.copy if locked.status == Hold.Status.READY else None
        _change(locked, status)
        record_hold_event(kind=event, occurred_at=now, hold=locked, copy=copy)
        if copy is None:
            return None
        rest = [other for other in queue if other.pk != locked.pk]
        return route_copy(copy=lock_copy(copy=copy), branch=locked.pickup_branch, queue=rest, now=now)


def _is_past_shelf_time(hold: Hold, now: datetime) -> bool:
    if hold.ready_at is None or hold.status != Hold.Status.READY:
        return False
    return library_date(at=now) > last_day_on_shelf(ready_at=hold.ready_at)


def _lock_active(hold: Hold) -> tuple[Hold, list[Hold]]:
    """Lock the book and queue of a hold; return the current hold with its borrower, and the queue."""
    queue = lock_queue(book_id=lock_book(pk=hold.book_id).pk)
    for locked in queue:
        if locked.pk == hold.pk:
            load_borrower(hold=locked)
            return locked, queue
    raise CirculationRefused([Reason("hold_not_active", _("The hold has already ended."))])


def _change(hold: Hold, status: Hold.Status, **changes: object) -> None:
    update_row(
        Hold.objects.filter(pk=hold.pk, status=hold.status, copy=hold.copy_id), status=status, **changes
    )
    for name, value in {"status": status, **changes}.items():
        setattr(hold, name, value)


def _no_copy_or_over_limit(book: Book, borrower: Borrower, branch: Branch | None) -> list[Reason]:
    copies = Copy.objects.filter(book=book).exclude(status__in=Copy.GONE).order_by()
    item_types = set(copies.values_list("item_type", flat=True))
    if not item_types:
        return [Reason("not_available", _("This title has no circulating copies."))]
    max_holds = max(
        policy_in_force(
            branch_id=branch.pk if branch else None,
            borrower_category_id=borrower.category_id,
            item_type_id=item_type,
        ).holds_allowed
        for item_type in item_types
    )
    count = Hold.objects.filter(borrower=borrower, status__in=Hold.ACTIVE).count()
    if count < max_holds:
        return []
    text = _("Hold limit reached (%(count)s of %(most)s).")
    return [Reason("holds_limit_reached", text % {"count": count, "most": max_holds})]
