"""A borrower is erased: nothing is left of who it was."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from axes.models import AccessAttempt
from django.db import transaction
from django.utils.translation import gettext as _

from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.fines import owed_by
from library.circulation.selectors.retention import is_owed_for
from library.circulation.services.anonymisation import cut_events, cut_fines, cut_holds, cut_loans
from library.circulation.services.holds import cancel_hold
from library.circulation.services.locks import lock_borrower
from library.circulation.services.refusals import Reason, refuse_if
from library.people.models import Borrower


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased: of how many loans and holds it is no longer known whose they were."""

    loans: int
    holds: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def reasons_against_erasing(*, borrower: Borrower) -> list[Reason]:
    """Return why a borrower cannot be erased now: `loans_open`, `fines_owed`."""
    reasons: list[Reason] = []
    open_loans = Loan.objects.filter(borrower=borrower, returned_at=None).count()
    if open_loans:
        text = _("The borrower has %(count)s on loan: check them in first, lost ones too.")
        reasons.append(Reason("loans_open", text % {"count": open_loans}))
    owed = owed_by(borrower=borrower)
    # What is owed for one loan is not made good by what was paid too much for another.
    if owed > 0 or Loan.objects.filter(is_owed_for(), borrower=borrower).exists():
        text = _("The borrower owes %(owed)s: take a payment or waive it first.")
        reasons.append(Reason("fines_owed", text % {"owed": owed}))
    return reasons


def erase_borrower(*, borrower: Borrower, now: datetime) -> Erasure:
    """Cut all loans and holds of a borrower, however old, and delete all that is known of the person.

    Holds in the queue are cancelled. Loans, fines and events stay as those of nobody.

    Parameters
    ----------
    borrower : Borrower
    now : datetime

    Returns
    -------
    Erasure

    Raises
    ------
    CirculationRefused
        `loans_open`, `fines_owed`.
    """
    from library.circulation.services import coborrowing  # loads scipy, which a web process does without

    with transaction.atomic():
        borrower = lock_borrower(pk=borrower.pk)
        refuse_if(reasons_against_erasing(borrower=borrower))
        holds = Hold.objects.filter(borrower=borrower)
        for hold in holds.filter(status__in=Hold.ACTIVE).order_by("book", "pk"):
            cancel_hold(hold=hold, now=now)
        loans = dict(Loan.objects.filter(borrower=borrower).order_by().values_list("pk", "copy__book"))
        often = coborrowing.pairs_often_had(titles=set(loans.values()))
        cut_loans(loans=loans.keys(), borrowers=[borrower.pk], often=often)
        erasure = Erasure(loans=len(loans), holds=cut_holds(holds))
        cut_events(LoanEvent.objects.filter(borrower=borrower))
        cut_fines(FineEntry.objects.filter(borrower=borrower))
        # Readers type their card into the wrong form too.
        AccessAttempt.objects.filter(username__in=[borrower.card_number, borrower.email or None]).delete()
        borrower.delete()
    return erasure
