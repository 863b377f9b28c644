"""The record of what happened; the caller's transaction keeps an event together with what it tells of."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.db import KEYS_A_QUERY, batches
from library.people.models import Borrower


def record_event(
    *,
    kind: LoanEvent.Kind,
    at: datetime,
    branch_id: int | None,
    copy: Copy,
    loan: Loan | None = None,
    amount: Decimal | None = None,
) -> None:
    """Write what happened to a copy, and to the loan and its borrower if there is one.

    Parameters
    ----------
    kind : LoanEvent.Kind
    at : datetime
    branch_id : int or None
        Where it happened, as far as known.
    copy : Copy
    loan : Loan, optional
    amount : Decimal, optional
        Of a fine.
    """
    borrower = loan.borrower if loan else None
    LoanEvent.objects.create(
        kind=kind,
        at=at,
        book_id=copy.book_id,
        branch_id=branch_id,
        copy=copy,
        item_type_id=copy.item_type_id,
        loan=loan,
        borrower=borrower,
        borrower_category_id=borrower.category_id if borrower else None,
        amount=amount,
    )


def record_hold_event(*, kind: LoanEvent.Kind, at: datetime, hold: Hold, copy: Copy | None = None) -> None:
    """Write what happened to a hold, at its pickup branch, and with which copy if there is one."""
    LoanEvent.objects.create(
        kind=kind,
        at=at,
        book_id=hold.book_id,
        branch_id=hold.pickup_branch_id,
        copy=copy,
        item_type_id=copy.item_type_id if copy else None,
        borrower_id=hold.borrower_id,
        borrower_category_id=hold.borrower.category_id if hold.borrower else None,
    )


def record_told_events(*, kind: LoanEvent.Kind, loans: Iterable[Loan]) -> None:
    """Write the checkouts or the checkins of loans that a file or a person tells of.

    The branch is the copy's, and the category the one that the borrower has now: nobody told another.

    Parameters
    ----------
    kind : LoanEvent.Kind
        ``CHECKOUT`` or ``CHECKIN``.
    loans : iterable of Loan
        Written already; for a checkin, returned.
    """
    for some in batches(loans, KEYS_A_QUERY):
        copies = Copy.objects.in_bulk({loan.copy_id for loan in some})
        people = {loan.borrower_id for loan in some if loan.borrower_id}
        categories = dict(Borrower.objects.filter(pk__in=people).values_list("pk", "category"))
        LoanEvent.objects.bulk_create(
            LoanEvent(
                kind=kind,
                at=_when(kind, loan),
                book_id=copies[loan.copy_id].book_id,
                branch_id=copies[loan.copy_id].branch_id,
                copy_id=loan.copy_id,
                item_type_id=copies[loan.copy_id].item_type_id,
                loan=loan,
                borrower_id=loan.borrower_id,
                borrower_category_id=categories[loan.borrower_id] if loan.borrower_id else None,
            )
            for loan in some
        )


def _when(kind: LoanEvent.Kind, loan: Loan) -> datetime:
    if kind == LoanEvent.Kind.CHECKOUT:
        return loan.borrowed_at
    assert loan.returned_at is not None
    return loan.returned_at
