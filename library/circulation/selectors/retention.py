"""Loans, holds and events whose retention period is over."""

from datetime import datetime

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db.models import Case, DecimalField, Exists, F, OuterRef, Q, QuerySet, Sum, When

from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.fines import CENT
from library.people.models import Borrower

Retention = Borrower.Retention


def anonymises_at_return() -> Q:
    """Return the condition on borrowers whose loans are anonymised at return."""
    at_return = Q(retention=Retention.ANONYMISE)
    return at_return | Q(retention=Retention.DEFAULT) if settings.RETENTION_MONTHS == 0 else at_return


def retention_expired(*, start: str, now: datetime) -> Q:
    """Return the condition that the retention period chosen by the borrower or the library is over.

    Parameters
    ----------
    start
        Field with the start of the period; the period does not start while it is null.
    """
    cutoff = now - relativedelta(months=settings.RETENTION_MONTHS)
    return Q(borrower__retention=Retention.ANONYMISE, **{f"{start}__lte": now}) | Q(
        borrower__retention=Retention.DEFAULT, **{f"{start}__lte": cutoff}
    )


def has_balance_due() -> Exists:
    """Return the condition on loans with a balance due."""
    signed = Case(
        When(kind=FineEntry.Kind.CHARGE, then=F("amount")), default=-F("amount"), output_field=DecimalField()
    )
    balance = FineEntry.objects.filter(loan=OuterRef("pk")).order_by().values("loan")
    # SQLite sums in floating point.
    return Exists(balance.annotate(owed=Sum(signed)).filter(owed__gte=CENT / 2).values("loan"))


def loans_to_anonymise(*, now: datetime) -> QuerySet[Loan]:
    """Return the loans to anonymise: returned long enough ago, without a balance due."""
    return (
        Loan.objects.filter(retention_expired(start="returned_at", now=now))
        .exclude(has_balance_due())
        .order_by()
    )


def loans_kept_for_debt(*, now: datetime) -> QuerySet[Loan]:
    """Return the loans that are not anonymised because of a balance due."""
    return (
        Loan.objects.filter(retention_expired(start="returned_at", now=now))
        .filter(has_balance_due())
        .order_by()
    )


def holds_to_anonymise(*, now: datetime) -> QuerySet[Hold]:
    """Return the holds to anonymise: ended and placed long enough ago."""
    due = Hold.objects.filter(retention_expired(start="placed_at", now=now))
    return due.exclude(status__in=Hold.ACTIVE).order_by()


def events_to_anonymise(*, now: datetime) -> QuerySet[LoanEvent]:
    """Return the events to anonymise that have no loan: those of holds and of deleted loans."""
    return LoanEvent.objects.filter(retention_expired(start="occurred_at", now=now), loan=None).order_by()
