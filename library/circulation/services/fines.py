"""What lateness costs, and how it is settled."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Loan, LoanEvent
from library.circulation.selectors.fines import CENT, charged_for, fine_for, fine_to_charge, owed_for
from library.circulation.services.events import record_event
from library.circulation.services.locks import lock_borrower
from library.circulation.services.refusals import Reason, refuse_if


def charge_lateness(
    *, loan: Loan, copy: Copy, until: datetime, branch_id: int | None, now: datetime
) -> Decimal:
    """Charge a loan for being late at `until`, within the caller's transaction and locks.

    All charges of a loan together are never above the highest fine of its terms.

    Returns
    -------
    Decimal
        What was charged now.
    """
    # Most come back in time: asking the ledger can wait.
    if fine_for(loan=loan, until=until) <= 0:
        return Decimal(0)
    fine = fine_to_charge(loan=loan, until=until, charged=charged_for(loan=loan))
    if fine <= 0:
        return Decimal(0)
    FineEntry.objects.create(
        loan=loan, borrower=loan.borrower, kind=FineEntry.Kind.CHARGE, amount=fine, at=now
    )
    record_event(
        kind=LoanEvent.Kind.FINE_CHARGED,
        at=now,
        branch_id=branch_id,
        copy=copy,
        loan=loan,
        amount=fine,
    )
    return fine


def pay_fine(*, loan: Loan, amount: Decimal, now: datetime) -> FineEntry:
    """Take a payment for what is owed for a loan.

    Parameters
    ----------
    loan : Loan
    amount : Decimal
        Part of it or all of it.
    now : datetime

    Returns
    -------
    FineEntry

    Raises
    ------
    CirculationRefused
        `amount_not_positive`, `more_than_owed`.
    """
    return _settle(loan, FineEntry.Kind.PAYMENT, LoanEvent.Kind.FINE_PAID, amount, "", now)


def waive_fine(*, loan: Loan, amount: Decimal, reason: str, now: datetime) -> FineEntry:
    """Let a borrower off what is owed for a loan, or part of it.

    Parameters
    ----------
    loan : Loan
    amount : Decimal
    reason : str
        Kept in the ledger.
    now : datetime

    Returns
    -------
    FineEntry

    Raises
    ------
    CirculationRefused
        `amount_not_positive`, `more_than_owed`, `reason_missing`.
    """
    return _settle(loan, FineEntry.Kind.WAIVER, LoanEvent.Kind.FINE_WAIVED, amount, reason.strip(), now)


def _settle(
    loan: Loan,
    kind: FineEntry.Kind,
    event: LoanEvent.Kind,
    amount: Decimal,
    reason: str,
    now: datetime,
) -> FineEntry:
    with transaction.atomic():
        # Nothing is owed for a forgotten loan, so below it is refused.
        borrower = lock_borrower(pk=loan.borrower_id) if loan.borrower_id else None
        reasons: list[Reason] = []
        if amount <= 0 or amount != amount.quantize(CENT):
            text = _("%(amount)s is no amount: it must be above zero, with two decimals at most.")
            reasons.append(Reason("amount_not_positive", text % {"amount": amount}))
        owed = owed_for(loan=loan)
        if amount > owed:
            text = _("%(amount)s is more than the %(owed)s that are owed for this loan.")
            reasons.append(Reason("more_than_owed", text % {"amount": amount, "owed": owed}))
        if kind == FineEntry.Kind.WAIVER and not reason:
            reasons.append(Reason("reason_missing", _("Say why the fine is waived.")))
        refuse_if(reasons)
        entry = FineEntry.objects.create(
            loan=loan, borrower=borrower, kind=kind, amount=amount, reason=reason, at=now
        )
        record_event(
            kind=event,
            at=now,
            branch_id=loan.branch_id,
            copy=loan.copy,
            loan=loan,
            amount=amount,
        )
    return entry
