"""Borrower accounts: current loans, holds and balances."""

from dataclasses import dataclass
from decimal import Decimal

from library.circulation.models import Hold, Loan
from library.circulation.selectors.fines import loans_owed_for, owed_by
from library.people.models import Borrower
from library.people.selectors import without_personal_data


@dataclass(frozen=True, slots=True)
class Account:
    """A borrower's open loans, active holds and balances.

    Attributes
    ----------
    loans
        Open loans, earliest due date first.
    holds
        Active holds, oldest first.
    owed
        Total balance of all loans.
    debts
        Loans with a balance due, each with its balance.
    """

    loans: list[Loan]
    holds: list[Hold]
    owed: Decimal
    debts: list[tuple[Loan, Decimal]]


def account_of(*, borrower: Borrower) -> Account:
    """Return the current account of a borrower."""
    loans = without_personal_data(Loan.objects.select_related("copy__book"))
    holds = without_personal_data(Hold.objects.select_related("book", "copy", "pickup_branch"))
    return Account(
        loans=list(loans.filter(borrower=borrower, returned_at=None).order_by("due_at", "pk")),
        holds=list(holds.filter(borrower=borrower, status__in=Hold.ACTIVE).order_by("placed_at", "pk")),
        owed=owed_by(borrower=borrower),
        debts=loans_owed_for(borrower=borrower),
    )
