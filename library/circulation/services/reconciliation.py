"""Reconcile copies and events with loans that were imported or entered by hand."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.events import record_imported_events
from library.db import KEYS_PER_QUERY, batches

#: Statuses that contradict an open loan of the copy.
ON_SHELF_STATUSES = (Copy.Status.AVAILABLE, Copy.Status.ON_HOLD_SHELF, Copy.Status.IN_TRANSIT)


def reconcile_loans(
    *, checked_out: Collection[Loan] = (), returned: Collection[Loan] = (), copy_ids: Collection[int]
) -> None:
    """Record the events of loans that bypassed the desk, new or `returned`, and update their copies.

    Renewals are not recorded as events: their times are unknown.

    Parameters
    ----------
    copy_ids
        Copies of these loans, and their former copies if a loan was moved to another copy.
    """
    with transaction.atomic():
        record_imported_events(kind=LoanEvent.Kind.CHECKOUT, loans=checked_out)
        record_imported_events(kind=LoanEvent.Kind.CHECKIN, loans=returned)
        reconcile_copies(copy_ids=copy_ids)


def reconcile_copies(*, copy_ids: Collection[int]) -> None:
    """Set the status and the counts of checkouts and renewals of copies from their loans."""
    with transaction.atomic():
        for ids in batches(sorted(copy_ids), KEYS_PER_QUERY):
            _reconcile(ids)


def _reconcile(ids: Collection[int]) -> None:
    loans = Loan.objects.filter(copy=OuterRef("pk")).order_by()
    per_copy = loans.values("copy")
    checkouts = per_copy.annotate(number=Count("pk")).values("number")
    renewals = per_copy.annotate(number=Sum("renewals")).values("number")
    copies = Copy.objects.filter(pk__in=ids)
    counts = copies.annotate(
        true_checkouts=Coalesce(Subquery(checkouts), 0, output_field=IntegerField()),
        true_renewals=Coalesce(Subquery(renewals), 0, output_field=IntegerField()),
    )
    counts.exclude(checkouts=F("true_checkouts"), renewals=F("true_renewals")).update(
        checkouts=F("true_checkouts"), renewals=F("true_renewals")
    )
    on_loan = Exists(loans.filter(returned_at=None, lost_at=None))
    Hold.objects.filter(
        Exists(Loan.objects.filter(copy=OuterRef("copy"), returned_at=None)),
        copy__in=ids,
        status__in=Hold.ACTIVE,
    ).update(copy=None, ready_at=None, status=Hold.Status.WAITING)
    copies.filter(on_loan, status__in=ON_SHELF_STATUSES).update(status=Copy.Status.ON_LOAN)
    copies.filter(~on_loan, status=Copy.Status.ON_LOAN).update(status=Copy.Status.AVAILABLE)
