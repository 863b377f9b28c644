"""Fines and balances."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.calendar import library_date
from library.people.models import Borrower

CENT = Decimal("0.01")


def owed_by(*, borrower: Borrower) -> Decimal:
    """Return the total balance of a borrower."""
    return _balance(FineEntry.objects.filter(borrower=borrower))


def owed_for(*, loan: Loan) -> Decimal:
    """Return the balance of a loan."""
    return _balance(FineEntry.objects.filter(loan=loan))


def charged_for(*, loan: Loan) -> Decimal:
    """Return the sum of the charges for a loan, paid or not."""
    return _sum(FineEntry.objects.filter(loan=loan, kind=FineEntry.Kind.CHARGE))


def fine_for(*, loan: Loan, until: datetime) -> Decimal:
    """Return the overdue fine by the terms of the loan if it ends at `until`.

    Each day after the due date counts, including closed days, except the grace period. The maximum fine is
    the upper limit. A loan without terms has no fine.
    """
    if loan.fine_per_day is None or loan.fine_cap is None or loan.grace_days is None:
        return Decimal(0)
    days_late = (library_date(at=until) - library_date(at=loan.due_at)).days
    return min(loan.fine_per_day * max(0, days_late - loan.grace_days), loan.fine_cap)


def fine_to_charge(*, loan: Loan, until: datetime, charged: Decimal) -> Decimal:
    """Return the overdue fine that would still be charged if the loan ended at `until`.

    Parameters
    ----------
    charged
        Sum of earlier charges; the total never exceeds the maximum fine of the loan.
    """
    fine = fine_for(loan=loan, until=until)
    return max(Decimal(0), min(fine, (loan.fine_cap or Decimal(0)) - charged))


def loans_owed_for(*, borrower: Borrower) -> list[tuple[Loan, Decimal]]:
    """Return the loans of a borrower with a balance due, with their balances, oldest first."""
    is_charge = Q(fines__kind=FineEntry.Kind.CHARGE)
    loans = (
        Loan.objects.filter(fines__borrower=borrower)
        .select_related("copy__book")
        .annotate(
            charged=Sum("fines__amount", filter=is_charge), credited=Sum("fines__amount", filter=~is_charge)
        )
        .order_by("borrowed_at", "pk")
    )
    owed = [(loan, _exact(loan.charged) - _exact(loan.credited)) for loan in loans]
    return [(loan, amount) for loan, amount in owed if amount > 0]


def _balance(entries: QuerySet[FineEntry]) -> Decimal:
    sums = dict(entries.order_by().values_list("kind").annotate(sum=Sum("amount")))
    charged = _exact(sums.pop(FineEntry.Kind.CHARGE, None))
    return charged - sum(map(_exact, sums.values()))


def _sum(entries: QuerySet[FineEntry]) -> Decimal:
    return _exact(entries.aggregate(sum=Sum("amount"))["sum"])


def _exact(value: Decimal | None) -> Decimal:
    # SQLite sums in floating point.
    return (value or Decimal(0)).quantize(CENT)
