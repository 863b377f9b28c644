"""Copies that go missing, turn up, or are taken out of the stock."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, Copy
from library.circulation.models import Loan, LoanEvent
from library.circulation.services.anonymisation import lock_who_forgets
from library.circulation.services.checkin import CheckinResult, receive
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.holds import release
from library.circulation.services.locks import lock_copy, lock_open_loan, lock_queue, move
from library.circulation.services.refusals import Reason, refuse_if


def mark_lost(*, copy: Copy, now: datetime) -> Copy:
    """Record that a copy is lost, on loan or off the shelf.

    A loan stays open, for the borrower still owes the copy; its lateness until now is charged and grows no
    more. A hold for which the copy was set aside waits again.

    Returns
    -------
    Copy

    Raises
    ------
    CirculationRefused
        `already_lost`, `withdrawn`; `before_checkout` if the clock says it was lost before it was lent.
    """
    with transaction.atomic():
        copy = lock_copy(copy=copy)
        queue = lock_queue(book_id=copy.book_id)
        loan = lock_open_loan(copy=copy)
        reasons: list[Reason] = []
        if copy.status == Copy.Status.LOST:
            reasons.append(Reason("already_lost", _("The copy %s is lost already.") % copy))
        if copy.status == Copy.Status.WITHDRAWN:
            reasons.append(Reason("withdrawn", _("The copy %s is withdrawn.") % copy))
        if loan and now < loan.borrowed_at:
            reasons.append(Reason("before_checkout", _("The copy %s was lent after this time.") % copy))
        refuse_if(reasons)
        release(copy=copy, queue=queue)
        branch_id = loan.branch_id if loan else copy.branch_id
        _set_status(copy, Copy.Status.LOST)
        record_event(
            kind=LoanEvent.Kind.LOST,
            at=now,
            branch_id=branch_id,
            copy=copy,
            loan=loan,
        )
        if loan:
            move(Loan.objects.filter(pk=loan.pk, returned_at=None, lost_at=None), lost_at=now)
            charge_lateness(loan=loan, copy=copy, until=now, branch_id=branch_id, now=now)
    return copy


def mark_found(*, copy: Copy, branch: Branch | None, now: datetime) -> CheckinResult:
    """Take back a copy that was lost; its loan, if one is open, ends.

    Parameters
    ----------
    copy : Copy
    branch : Branch or None
        Where it turned up.
    now : datetime

    Returns
    -------
    CheckinResult

    Raises
    ------
    CirculationRefused
        `not_lost`.
    """
    with transaction.atomic():
        who = lock_who_forgets(copy=copy)
        copy = lock_copy(copy=copy)
        if copy.status != Copy.Status.LOST:
            refuse_if([Reason("not_lost", _("The copy %s is not lost.") % copy)])
        return receive(copy=copy, branch=branch, now=now, who_forgets=who)


def withdraw(*, copy: Copy, now: datetime) -> Copy:
    """Take a copy out of the stock; a hold for which it was set aside waits again.

    Returns
    -------
    Copy

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
            reasons.append(Reason("withdrawn", _("The copy %s is withdrawn.") % copy))
        if lock_open_loan(copy=copy):
            reasons.append(Reason("already_on_loan", _("The copy %s is on loan: check it in first.") % copy))
        refuse_if(reasons)
        release(copy=copy, queue=queue)
        _set_status(copy, Copy.Status.WITHDRAWN)
        record_event(kind=LoanEvent.Kind.WITHDRAWN, at=now, branch_id=copy.branch_id, copy=copy)
    return copy


def reinstate(*, copy: Copy, now: datetime) -> Copy:
    """Put a withdrawn copy back on the shelf.

    Returns
    -------
    Copy

    Raises
    ------
    CirculationRefused
        `not_withdrawn`.
    """
    with transaction.atomic():
        copy = lock_copy(copy=copy)
        if copy.status != Copy.Status.WITHDRAWN:
            refuse_if([Reason("not_withdrawn", _("The copy %s is not withdrawn.") % copy)])
        _set_status(copy, Copy.Status.AVAILABLE)
        record_event(kind=LoanEvent.Kind.REINSTATED, at=now, branch_id=copy.branch_id, copy=copy)
    return copy


def _set_status(copy: Copy, status: Copy.Status) -> None:
    move(Copy.objects.filter(pk=copy.pk, status=copy.status), status=status)
    copy.status = status
