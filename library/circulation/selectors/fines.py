"""What is owed."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.calendar import library_date
from library.people.models import Borrower

CENT = Decimal("0.01")


def owed_by(*, borrower: Borrower) -> Decimal:
    """Return what a borrower owes for all loans together."""
    return _balance(FineEntry.objects.filter(borrower=borrower))


def owed_for(*, loan: Loan) -> Decimal:
    """Return what is still owed for a loan."""
    return _balance(FineEntry.objects.filter(loan=loan))


def charged_for(*, loan: Loan) -> Decimal:
    """Return what a loan has cost so far, settled or not."""
    return _sum(FineEntry.objects.filter(loan=loan, kind=FineEntry.Kind.CHARGE))


def fine_for(*, loan: Loan, until: datetime) -> Decimal:
    """Return what lateness costs by the terms of the loan, if it ends at `until`.

    Each day in the library after the day it was due counts, closed or not, except the days of grace; the
    highest fine is the most it comes to. A loan without terms costs nothing.

    Parameters
    ----------
    loan : Loan
    until : datetime

    Returns
    -------
    Decimal
    """
    if loan.fine_per_day is None or loan.fine_cap is None or loan.grace_days is None:
        return Decimal(0)
    days_late = (library_date(at=until) - library_date(at=loan.due_at)).days
    return min(loan.fine_per_day * max(0, days_late - loan.grace_days), loan.fine_cap)


def fine_to_charge(*, loan: Loan, until: datetime, charged: Decimal) -> Decimal:
    """Return what would be charged for lateness if the loan ended at `until`.

    Parameters
    ----------
    loan : Loan
    until : datetime
    charged : Decimal
        What the loan has cost already: all together is never above the highest fine of its terms.

    Returns
    -------
    Decimal
    """
    fine = fine_for(loan=loan, until=until)
    return max(Decimal(0), min(fine, (loan.fine_cap or Decimal(0)) - charged))


def loans_owed_for(*, borrower: Borrower) -> list[tuple[Loan, Decimal]]:
    """Return the loans that a borrower still owes something for, with how much, the oldest first."""
    is_charge = Q(fines__kind=FineEntry.Kind.CHARGE)
    loans = (
        Loan.objects.filter(fines__borrower=borrower)
        .select_related("copy__book")
        .annotate(
            charged=Sum("fines__amount", filter=is_charge), settled=Sum("fines__amount", filter=~is_charge)
        )
        .order_by("borrowed_at", "pk")
    )
    owed = [(loan, _exact(loan.charged) - _exact(loan.settled)) for loan in loans]
    return [(loan, amount) for loan, amount in owed if amount > 0]


def _balance(entries: QuerySet[FineEntry]) -> Decimal:
    sums = dict(entries.order_by().values_list("kind").annotate(sum=Sum("amount")))
    charged = _exact(sums.pop(FineEntry.Kind.CHARGE, None))
    return charged - sum(map(_exact, sums.values()))


def _sum(entries: QuerySet[FineEntry]) -> Decimal:
    return _exact(entries.aggregate(sum=Sum("amount"))["sum"])


def _exact(value: Decimal | None) -> Decimal:
    # SQLite adds up in floating point.
    return (value or Decimal(0)).quantize(CENT)
