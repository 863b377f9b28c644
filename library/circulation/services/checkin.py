"""Check in copies."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.anonymisation import anonymise_at_return, lock_anonymising_borrower
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.locks import lock_copy, lock_open_loan, lock_queue, update_row
from library.circulation.services.refusals import Reason, raise_if_refused
from library.circulation.services.transits import Action, route_copy


@dataclass(frozen=True, slots=True)
class CheckinResult:
    """Outcome of a check-in: where the copy goes next.

    Attributes
    ----------
    loan
        The loan that ended; None if the copy was not on loan. Without a borrower if it was anonymised at
        once.
    action
        ``shelve``, ``hold_shelf`` (for `hold`) or ``send`` (to `destination`, for `hold` if any).
    fine
        Amount charged by this check-in.
    """

    copy: Copy
    loan: Loan | None
    action: Action
    hold: Hold | None
    destination: Branch | None
    fine: Decimal


def checkin(*, copy: Copy, branch: Branch | None, now: datetime, loan: Loan | None = None) -> CheckinResult:
    """Check in a copy: on loan, lost, in transit, or only found somewhere.

    Parameters
    ----------
    branch
        Branch of the desk; None in a library without branches.
    loan
        If given, refuse unless this is the loan that ends.

    Raises
    ------
    CirculationRefused
        `withdrawn`; `before_checkout` if `now` is before the checkout; `not_on_loan` if `loan` has ended.
    """
    with transaction.atomic():
        borrower_id = lock_anonymising_borrower(copy=copy)
        copy = lock_copy(copy=copy)
        # No other transaction can end the loan now: each locks the copy first.
        if loan and not Loan.objects.filter(pk=loan.pk, returned_at=None).exists():
            ended = _("This loan has ended: copy %s was returned.") % copy
            raise_if_refused([Reason("not_on_loan", ended)])
        return receive(copy=copy, branch=branch, now=now, anonymise_for=borrower_id)


def receive(*, copy: Copy, branch: Branch | None, now: datetime, anonymise_for: int | None) -> CheckinResult:
    """Check in a locked copy within the caller's transaction.

    Parameters
    ----------
    anonymise_for
        Result of `lock_anonymising_borrower`.
    """
    queue = lock_queue(book_id=copy.book_id)
    loan = lock_open_loan(copy=copy)
    reasons: list[Reason] = []
    if copy.status == Copy.Status.WITHDRAWN and loan is None:
        reasons.append(Reason("withdrawn", _("Copy %s has been withdrawn. Reinstate it first.") % copy))
    if loan and now < loan.borrowed_at:
        reasons.append(Reason("before_checkout", _("Copy %s was checked out after this time.") % copy))
    raise_if_refused(reasons)
    branch_id = branch.pk if branch else None
    if copy.status == Copy.Status.LOST:
        record_event(kind=LoanEvent.Kind.FOUND, occurred_at=now, branch_id=branch_id, copy=copy)
    fine = Decimal(0)
    if loan:
        update_row(Loan.objects.filter(pk=loan.pk, returned_at=None), returned_at=now)
        loan.returned_at = now
        record_event(kind=LoanEvent.Kind.CHECKIN, occurred_at=now, branch_id=branch_id, copy=copy, loan=loan)
        if loan.lost_at is None:  # a lost copy was charged when it was marked lost
            fine = charge_lateness(loan=loan, copy=copy, until=now, branch_id=branch_id, now=now)
        anonymise_at_return(loan=loan, copy=copy, borrower_id=anonymise_for)
    routing = route_copy(copy=copy, branch=branch, queue=queue, now=now)
    return CheckinResult(copy, loan, routing.action, routing.hold, routing.destination, fine)
