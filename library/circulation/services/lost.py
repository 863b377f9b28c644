"""Mark copies as lost or found; withdraw and reinstate them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, Copy
from library.circulation.models import Loan, LoanEvent
from library.circulation.services.anonymisation import lock_anonymising_borrower
from library.circulation.services.checkin import CheckinResult, receive
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.holds import release
from library.circulation.services.locks import lock_copy, lock_open_loan, lock_queue, update_row
from library.circulation.services.refusals import Reason, raise_if_refused


def mark_lost(*, copy: Copy, now: datetime) -> Copy:
    """Mark a copy as lost, on loan or from the shelf.

    Its loan stays open, since the borrower still owes the copy; the overdue fine up to now is charged and
    stops growing. A hold for which the copy was set aside waits again.

    Raises
    ------
    CirculationRefused
        `already_lost`, `withdrawn`; `before_checkout` if `now` is before the checkout.
    """
    with transaction.atomic():
        copy = lock_copy(copy=copy)
        queue = lock_queue(book_id=copy.book_id)
        loan = lock_open_loan(copy=copy)
        reasons: list[Reason] = []
        if copy.status == Copy.Status.LOST:
            reasons.append(Reason("already_lost", _("Copy %s is already marked as lost.") % copy))
        if copy.status == Copy.Status.WITHDRAWN:
            reasons.append(Reason("withdrawn", _("Copy %s has been withdrawn.") % copy))
        if loan and now < loan.borrowed_at:
            reasons.append(Reason("before_checkout", _("Copy %s was checked out after this time.") % copy))
        raise_if_refused(reasons)
        release(copy=copy, queue=queue)
        branch_id = loan.branch_id if loan else copy.branch_id
        _set_status(copy, Copy.Status.LOST)
        record_event(
            kind=LoanEvent.Kind.LOST,
            occurred_at=now,
            branch_id=branch_id,
            copy=copy,
            loan=loan,
        )
        if loan:
            update_row(Loan.objects.filter(pk=loan.pk, returned_at=None, lost_at=None), lost_at=now)
            charge_lateness(loan=loan, copy=copy, until=now, branch_id=branch_id, now=now)
    return copy


def mark_found(*, copy: Copy, branch: Branch | None, now: datetime) -> CheckinResult:
    """Check in a lost copy; its open loan, if any, ends.

    Parameters
    ----------
    branch
        Branch where it was found.

    Raises
    ------
    CirculationRefused
        `not_lost`.
    """
    with transaction.atomic():
        borrower_id = lock_anonymising_borrower(copy=copy)
        copy = lock_copy(copy=copy)
        if copy.status != Copy.Status.LOST:
            raise_if_refused([Reason("not_lost", _("Copy %s is not marked as lost.") % copy)])
        return receive(copy=copy, branch=branch, now=now, anonymise_for=borrower_id)


def withdraw(*, copy: Copy, now: datetime) -> Copy:
    """Withdraw a copy; a hold for which it was set aside waits again.

    Raises
    ------
    CirculationRefused
        `withdrawn`, `already_on_loan`.
    """
    with transaction.atomic():
        copy = lock_copy(copy=copy)
        queue = lock_queue(book_id=copy.book_id)
        reasons: list[Reason] = []
        if copy.status == Copy.Status.WITHDRAWN:
            reasons.append(Reason("withdrawn", _("Copy %s has been withdrawn.") % copy))
        if lock_open_loan(copy=copy):
            reasons.append(Reason("already_on_loan", _("Copy %s is checked out. Check it in first.") % copy))
        raise_if_refused(reasons)
        release(copy=copy, queue=queue)
        _set_status(copy, Copy.Status.WITHDRAWN)
        record_event(kind=LoanEvent.Kind.WITHDRAWN, occurred_at=now, branch_id=copy.branch_id, copy=copy)
    return copy


def reinstate(*, copy: Copy, now: datetime) -> Copy:
    """Return a withdrawn copy to the shelf. Raises `CirculationRefused`: `not_withdrawn`."""
    with transaction.atomic():
        copy = lock_copy(copy=copy)
        if copy.status != Copy.Status.WITHDRAWN:
            raise_if_refused([Reason("not_withdrawn", _("Copy %s is not withdrawn.") % copy)])
        _set_status(copy, Copy.Status.AVAILABLE)
        record_event(kind=LoanEvent.Kind.REINSTATED, occurred_at=now, branch_id=copy.branch_id, copy=copy)
    return copy


def _set_status(copy: Copy, status: Copy.Status) -> None:
    update_row(Copy.objects.filter(pk=copy.pk, status=copy.status), status=status)
    copy.status = status
