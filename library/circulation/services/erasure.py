"""Erase borrowers and everything that identifies them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from axes.models import AccessAttempt
from django.db import transaction
from django.utils.translation import gettext as _

from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.fines import owed_by
from library.circulation.selectors.retention import has_balance_due
from library.circulation.services.anonymisation import unlink_events, unlink_fines, unlink_holds, unlink_loans
from library.circulation.services.holds import cancel_hold
from library.circulation.services.locks import lock_borrower
from library.circulation.services.refusals import Reason, raise_if_refused
from library.people.models import Borrower


@dataclass(frozen=True, slots=True)
class Erasure:
    """Numbers of loans and holds anonymised by an erasure."""

    loans: int
    holds: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def erasure_blocks(*, borrower: Borrower) -> list[Reason]:
    """Return the reasons why a borrower cannot be erased now: `loans_open`, `fines_owed`."""
    reasons: list[Reason] = []
    open_loans = Loan.objects.filter(borrower=borrower, returned_at=None).count()
    if open_loans:
        text = _("The borrower has open loans (%(count)s). Check in all copies first, including lost ones.")
        reasons.append(Reason("loans_open", text % {"count": open_loans}))
    owed = owed_by(borrower=borrower)
    # An overpayment for one loan does not settle another.
    if owed > 0 or Loan.objects.filter(has_balance_due(), borrower=borrower).exists():
        text = _("The borrower owes %(owed)s. Record a payment or waiver first.")
        reasons.append(Reason("fines_owed", text % {"owed": owed}))
    return reasons


def erase_borrower(*, borrower: Borrower, now: datetime) -> Erasure:
    """Anonymise all loans and holds of a borrower, however recent, and delete the borrower.

    Holds in the queue are cancelled. Loans, fines and events are kept without a borrower.

    Raises
    ------
    CirculationRefused
        `loans_open`, `fines_owed`.
    """
    from library.circulation.services import coborrowing  # loads scipy, which a web process must not do

    with transaction.atomic():
        borrower = lock_borrower(pk=borrower.pk)
        raise_if_refused(erasure_blocks(borrower=borrower))
        holds = Hold.objects.filter(borrower=borrower)
        for hold in holds.filter(status__in=Hold.ACTIVE).order_by("book", "pk"):
            cancel_hold(hold=hold, now=now)
        loans = dict(Loan.objects.filter(borrower=borrower).order_by().values_list("pk", "copy__book"))
        frequent = coborrowing.frequent_pairs(titles=set(loans.values()))
        unlink_loans(loans=loans.keys(), borrowers=[borrower.pk], frequent=frequent)
        erasure = Erasure(loans=len(loans), holds=unlink_holds(holds))
        unlink_events(LoanEvent.objects.filter(borrower=borrower))
        unlink_fines(FineEntry.objects.filter(borrower=borrower))
        # Borrowers also type their card number into the wrong form.
        AccessAttempt.objects.filter(username__in=[borrower.card_number, borrower.email or None]).delete()
        borrower.delete()
    return erasure
