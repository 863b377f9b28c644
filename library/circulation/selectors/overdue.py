"""What should be back and is not."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.calendar import library_date, start_of_day
from library.circulation.selectors.fines import CENT, fine_to_charge

Late = TypeVar("Late", bound=Loan)


def is_out() -> Q:
    """Return the condition that a copy is still waited for, from someone who is known.

    A lost one is no longer waited for: its lateness ended, and was charged, when it was marked lost.
    """
    return Q(returned_at=None, lost_at=None, borrower__isnull=False)


def is_overdue(*, now: datetime, days: int = 1) -> Q:
    """Return the condition that a loan is at least so many days late: those after the day it was due."""
    first_day_in_time = library_date(at=now) - timedelta(days=days - 1)
    return is_out() & Q(due_at__lt=start_of_day(day=first_day_in_time))


def overdue_loans(*, now: datetime, loans: QuerySet[Late]) -> QuerySet[Late]:
    """Return the overdue ones among loans, the latest first, each with what it was charged as ``charged``.

    Parameters
    ----------
    now : datetime
    loans : QuerySet
        Those to choose from, joined as the caller needs.

    Returns
    -------
    QuerySet
    """
    charges = FineEntry.objects.filter(loan=OuterRef("pk"), kind=FineEntry.Kind.CHARGE).order_by()
    charged = charges.values("loan").annotate(sum=Sum("amount")).values("sum")
    late = loans.filter(is_overdue(now=now)).order_by("due_at", "pk")
    return late.annotate(charged=Subquery(charged))  # type: ignore[return-value]  # of the same model


def days_late(*, loan: Loan, now: datetime) -> int:
    """Return how many days in the library have begun since the day a loan was due; 0 if it is not late."""
    return max(0, (library_date(at=now) - library_date(at=loan.due_at)).days)


def fine_so_far(*, loan: Loan, now: datetime) -> Decimal:
    """Return what would be charged if the copy came back now, for a loan of `overdue_loans`."""
    # SQLite adds up in floating point.
    charged = Decimal(getattr(loan, "charged", None) or 0).quantize(CENT)
    return fine_to_charge(loan=loan, until=now, charged=charged).quantize(CENT)
