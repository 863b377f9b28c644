"""Charge fines, and record payments and waivers."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Loan, LoanEvent
from library.circulation.selectors.fines import CENT, charged_for, fine_for, fine_to_charge, owed_for
from library.circulation.services.events import record_event
from library.circulation.services.locks import lock_borrower
from library.circulation.services.refusals import Reason, raise_if_refused


def charge_lateness(
    *, loan: Loan, copy: Copy, until: datetime, branch_id: int | None, now: datetime
) -> Decimal:
    """Charge the overdue fine of a loan up to `until`, under the caller's locks; return the amount.

    The charges of a loan never exceed the maximum fine of its terms.
    """
    # Most copies come back in time: skip the query of the ledger.
    if fine_for(loan=loan, until=until) <= 0:
        return Decimal(0)
    fine = fine_to_charge(loan=loan, until=until, charged=charged_for(loan=loan))
    if fine <= 0:
        return Decimal(0)
    FineEntry.objects.create(
        loan=loan, borrower=loan.borrower, kind=FineEntry.Kind.CHARGE, amount=fine, created_at=now
    )
    record_event(
        kind=LoanEvent.Kind.FINE_CHARGED,
        occurred_at=now,
        branch_id=branch_id,
        copy=copy,
        loan=loan,
        amount=fine,
    )
    return fine


def pay_fine(*, loan: Loan, amount: Decimal, now: datetime) -> FineEntry:
    """Record a payment of all or part of the balance of a loan.

    Raises
    ------
    CirculationRefused
        `amount_not_positive`, `more_than_owed`.
    """
    return _credit(loan, FineEntry.Kind.PAYMENT, LoanEvent.Kind.FINE_PAID, amount, "", now)


def waive_fine(*, loan: Loan, amount: Decimal, reason: str, now: datetime) -> FineEntry:
    """Waive all or part of the balance of a loan; the reason is kept in the ledger.

    Raises
    ------
    CirculationRefused
        `amount_not_positive`, `more_than_owed`, `reason_missing`.
    """
    return _credit(loan, FineEntry.Kind.WAIVER, LoanEvent.Kind.FINE_WAIVED, amount, reason.strip(), now)


def _credit(
    loan: Loan,
    kind: FineEntry.Kind,
    event: LoanEvent.Kind,
    amount: Decimal,
    reason: str,
    now: datetime,
) -> FineEntry:
    with transaction.atomic():
        # Nothing is owed for an anonymised loan, so it is refused below.
        borrower = lock_borrower(pk=loan.borrower_id) if loan.borrower_id else None
        reasons: list[Reason] = []
        if amount <= 0 or amount != amount.quantize(CENT):
            text = _(
                "%(amount)s is not a valid amount. Enter an amount above zero with at most two decimals."
            )
            reasons.append(Reason("amount_not_positive", text % {"amount": amount}))
        owed = owed_for(loan=loan)
        if amount > owed:
            text = _("%(amount)s exceeds the %(owed)s owed for this loan.")
            reasons.append(Reason("more_than_owed", text % {"amount": amount, "owed": owed}))
        if kind == FineEntry.Kind.WAIVER and not reason:
            reasons.append(Reason("reason_missing", _("Enter a reason for the waiver.")))
        raise_if_refused(reasons)
        entry = FineEntry.objects.create(
            loan=loan, borrower=borrower, kind=kind, amount=amount, reason=reason, created_at=now
        )
        record_event(
            kind=event,
            occurred_at=now,
            branch_id=loan.branch_id,
            copy=loan.copy,
            loan=loan,
            amount=amount,
        )
    return entry
