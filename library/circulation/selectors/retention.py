"""What it is time to forget."""

from datetime import datetime

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db.models import Case, DecimalField, Exists, F, OuterRef, Q, QuerySet, Sum, When

from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.fines import CENT
from library.people.models import Borrower

Retention = Borrower.Retention


def forgets_at_return() -> Q:
    """Return the condition on borrowers who are forgotten as soon as a loan ends."""
    at_return = Q(retention=Retention.FORGET)
    return at_return | Q(retention=Retention.DEFAULT) if settings.RETENTION_MONTHS == 0 else at_return


def time_is_over(*, since: str, now: datetime) -> Q:
    """Return the condition that something is to be forgotten by what its borrower or the library chose.

    Parameters
    ----------
    since : str
        The field from which its time counts; empty, it does not count yet.
    now : datetime
    """
    cutoff = now - relativedelta(months=settings.RETENTION_MONTHS)
    return Q(borrower__retention=Retention.FORGET, **{f"{since}__lte": now}) | Q(
        borrower__retention=Retention.DEFAULT, **{f"{since}__lte": cutoff}
    )


def is_owed_for() -> Exists:
    """Return the condition on loans for which something is still owed."""
    signed = Case(
        When(kind=FineEntry.Kind.CHARGE, then=F("amount")), default=-F("amount"), output_field=DecimalField()
    )
    balance = FineEntry.objects.filter(loan=OuterRef("pk")).order_by().values("loan")
    # SQLite adds up in floating point.
    return Exists(balance.annotate(owed=Sum(signed)).filter(owed__gte=CENT / 2).values("loan"))


def loans_to_forget(*, now: datetime) -> QuerySet[Loan]:
    """Return the loans whose borrower it is time to forget: returned, settled, and long enough ago."""
    return Loan.objects.filter(time_is_over(since="returned_at", now=now)).exclude(is_owed_for()).order_by()


def loans_owed_for(*, now: datetime) -> QuerySet[Loan]:
    """Return the loans that would be forgotten if nothing were owed for them."""
    return Loan.objects.filter(time_is_over(since="returned_at", now=now)).filter(is_owed_for()).order_by()


def holds_to_forget(*, now: datetime) -> QuerySet[Hold]:
    """Return the holds that have ended and were placed long enough ago."""
    due = Hold.objects.filter(time_is_over(since="placed_at", now=now))
    return due.exclude(status__in=Hold.ACTIVE).order_by()


def events_to_forget(*, now: datetime) -> QuerySet[LoanEvent]:
    """Return the events without a loan, which is those of holds and of deleted loans, long enough ago."""
    return LoanEvent.objects.filter(time_is_over(since="at", now=now), loan=None).order_by()
