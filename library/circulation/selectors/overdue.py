"""Overdue loans."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.calendar import library_date, start_of_day
from library.circulation.selectors.fines import CENT, fine_to_charge

LoanType = TypeVar("LoanType", bound=Loan)


def is_out() -> Q:
    """Return the condition that a copy is on loan to an identified borrower and not lost.

    Marking a copy as lost ends its overdue period and charges the fine.
    """
    return Q(returned_at=None, lost_at=None, borrower__isnull=False)


def is_overdue(*, now: datetime, days: int = 1) -> Q:
    """Return the condition that a loan is at least `days` days overdue, counted after its due date."""
    first_day = library_date(at=now) - timedelta(days=days - 1)
    return is_out() & Q(due_at__lt=start_of_day(day=first_day))


def overdue_loans(*, now: datetime, loans: QuerySet[LoanType]) -> QuerySet[LoanType]:
    """Return the overdue loans, longest overdue first, annotated with the sum of charges as ``charged``.

    Parameters
    ----------
    loans
        Loans to filter, with the joins that the caller needs.
    """
    charges = FineEntry.objects.filter(loan=OuterRef("pk"), kind=FineEntry.Kind.CHARGE).order_by()
    charged = charges.values("loan").annotate(sum=Sum("amount")).values("sum")
    overdue = loans.filter(is_overdue(now=now)).order_by("due_at", "pk")
    return overdue.annotate(charged=Subquery(charged))  # type: ignore[return-value]  # of the same model


def days_late(*, loan: Loan, now: datetime) -> int:
    """Return the number of days that a loan is overdue, in the time zone of the library; 0 if it is not."""
    return max(0, (library_date(at=now) - library_date(at=loan.due_at)).days)


def fine_so_far(*, loan: Loan, now: datetime) -> Decimal:
    """Return the fine that a check-in now would charge, for a loan from `overdue_loans`."""
    # SQLite sums in floating point.
    charged = Decimal(getattr(loan, "charged", None) or 0).quantize(CENT)
    return fine_to_charge(loan=loan, until=now, charged=charged).quantize(CENT)
