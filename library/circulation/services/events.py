"""The record of what happened; the caller's transaction keeps an event together with what it tells of."""

from datetime import datetime
from decimal import Decimal

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent


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
