"""Loans that did not pass the desk, those of a file or entered by hand: their events, and their copies."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.events import record_told_events
from library.db import KEYS_A_QUERY, batches

#: Where a copy is not, if a loan of it is open.
AT_HAND = (Copy.Status.AVAILABLE, Copy.Status.ON_HOLD_SHELF, Copy.Status.IN_TRANSIT)


def settle_loans(
    *, lent: Collection[Loan] = (), returned: Collection[Loan] = (), copy_ids: Collection[int]
) -> None:
    """Write the events of loans that did not pass the desk, and bring copies into line with them.

    Renewals make no event: nobody told when they were.

    Parameters
    ----------
    lent : collection of Loan
        Those that are new.
    returned : collection of Loan
        Those of which the return is known now, and was not before.
    copy_ids : collection of int
        Theirs, and those that they had before a correction.
    """
    with transaction.atomic():
        record_told_events(kind=LoanEvent.Kind.CHECKOUT, loans=lent)
        record_told_events(kind=LoanEvent.Kind.CHECKIN, loans=returned)
        settle_copies(copy_ids=copy_ids)


def settle_copies(*, copy_ids: Collection[int]) -> None:
    """Tell copies what their loans know: which are out, and how often each was lent and renewed.

    Parameters
    ----------
    copy_ids : collection of int
    """
    with transaction.atomic():
        for ids in batches(sorted(copy_ids), KEYS_A_QUERY):
            _settle(ids)


def _settle(ids: Collection[int]) -> None:
    loans = Loan.objects.filter(copy=OuterRef("pk")).order_by()
    per_copy = loans.values("copy")
    lent = per_copy.annotate(number=Count("pk")).values("number")
    renewed = per_copy.annotate(number=Sum("renewals")).values("number")
    copies = Copy.objects.filter(pk__in=ids)
    counts = copies.annotate(
        lent=Coalesce(Subquery(lent), 0, output_field=IntegerField()),
        renewed=Coalesce(Subquery(renewed), 0, output_field=IntegerField()),
    )
    counts.exclude(checkouts=F("lent"), renewals=F("renewed")).update(
        checkouts=F("lent"), renewals=F("renewed")
    )
    out = Exists(loans.filter(returned_at=None, lost_at=None))
    Hold.objects.filter(
        Exists(Loan.objects.filter(copy=OuterRef("copy"), returned_at=None)),
        copy__in=ids,
        status__in=Hold.ACTIVE,
    ).update(copy=None, ready_at=None, status=Hold.Status.WAITING)
    copies.filter(out, status__in=AT_HAND).update(status=Copy.Status.ON_LOAN)
    copies.filter(~out, status=Copy.Status.ON_LOAN).update(status=Copy.Status.AVAILABLE)
