"""A copy comes back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.anonymisation import forget_at_return, lock_who_forgets
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.locks import lock_copy, lock_open_loan, lock_queue, move
from library.circulation.services.refusals import Reason, refuse_if
from library.circulation.services.transits import Action, route_copy


@dataclass(frozen=True, slots=True)
class CheckinResult:
    """What to do with a copy that came back.

    Attributes
    ----------
    copy : Copy
    loan : Loan or None
        The one that ended; None for a copy that was not out. It has no borrower if it was forgotten at once.
    action : Action
        ``shelve``, ``hold_shelf`` (for `hold`) or ``send`` (to `destination`, for `hold` if there is one).
    hold : Hold or None
    destination : Branch or None
    fine : Decimal
        What was charged now.
    """

    copy: Copy
    loan: Loan | None
    action: Action
    hold: Hold | None
    destination: Branch | None
    fine: Decimal


def checkin(*, copy: Copy, branch: Branch | None, now: datetime, loan: Loan | None = None) -> CheckinResult:
    """Take a copy back, whether it was out, lost, on its way or only found lying about.

    Parameters
    ----------
    copy : Copy
    branch : Branch or None
        The desk's; None in a library without branches.
    now : datetime
    loan : Loan, optional
        The one that is to end by it, if it has to be this one.

    Returns
    -------
    CheckinResult

    Raises
    ------
    CirculationRefused
        `withdrawn`; `before_checkout` if the clock says it comes back before it went; `not_on_loan` if `loan`
        has ended.
    """
    with transaction.atomic():
        who = lock_who_forgets(copy=copy)
        copy = lock_copy(copy=copy)
        # Whoever ends a loan locks its copy first.
        if loan and not Loan.objects.filter(pk=loan.pk, returned_at=None).exists():
            ended = _("The loan has ended: the copy %s was returned.") % copy
            refuse_if([Reason("not_on_loan", ended)])
        return receive(copy=copy, branch=branch, now=now, who_forgets=who)


def receive(*, copy: Copy, branch: Branch | None, now: datetime, who_forgets: int | None) -> CheckinResult:
    """Take back a copy that is locked, within the caller's transaction; see `lock_who_forgets`."""
    queue = lock_queue(book_id=copy.book_id)
    loan = lock_open_loan(copy=copy)
    reasons: list[Reason] = []
    if copy.status == Copy.Status.WITHDRAWN and loan is None:
        reasons.append(Reason("withdrawn", _("The copy %s is withdrawn: reinstate it first.") % copy))
    if loan and now < loan.borrowed_at:
        reasons.append(Reason("before_checkout", _("The copy %s was lent after this time.") % copy))
    refuse_if(reasons)
    branch_id = branch.pk if branch else None
    if copy.status == Copy.Status.LOST:
        record_event(kind=LoanEvent.Kind.FOUND, at=now, branch_id=branch_id, copy=copy)
    fine = Decimal(0)
    if loan:
        move(Loan.objects.filter(pk=loan.pk, returned_at=None), returned_at=now)
        loan.returned_at = now
        record_event(kind=LoanEvent.Kind.CHECKIN, at=now, branch_id=branch_id, copy=copy, loan=loan)
        if loan.lost_at is None:  # else the lateness ended when it was lost, and was charged then
            fine = charge_lateness(loan=loan, copy=copy, until=now, branch_id=branch_id, now=now)
        forget_at_return(loan=loan, copy=copy, borrower_id=who_forgets)
    routing = route_copy(copy=copy, branch=branch, queue=queue, now=now)
    return CheckinResult(copy, loan, routing.action, routing.hold, routing.destination, fine)
