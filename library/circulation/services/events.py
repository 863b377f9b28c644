"""Record circulation events, in the same transaction as the change they describe."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.db import KEYS_PER_QUERY, batches
from library.people.models import Borrower


def record_event(
    *,
    kind: LoanEvent.Kind,
    occurred_at: datetime,
    branch_id: int | None,
    copy: Copy,
    loan: Loan | None = None,
    amount: Decimal | None = None,
) -> None:
    """Record an event of a copy, and of the loan and its borrower if there is one.

    Parameters
    ----------
    branch_id
        Branch where it happened; None if unknown.
    amount
        Amount of a fine.
    """
    borrower = loan.borrower if loan else None
    LoanEvent.objects.create(
        kind=kind,
        occurred_at=occurred_at,
        book_id=copy.book_id,
        branch_id=branch_id,
        copy=copy,
        item_type_id=copy.item_type_id,
        loan=loan,
        borrower=borrower,
        borrower_category_id=borrower.category_id if borrower else None,
        amount=amount,
    )


def record_hold_event(
    *, kind: LoanEvent.Kind, occurred_at: datetime, hold: Hold, copy: Copy | None = None
) -> None:
    """Record an event of a hold at its pickup branch, with the copy if there is one."""
    LoanEvent.objects.create(
        kind=kind,
        occurred_at=occurred_at,
        book_id=hold.book_id,
        branch_id=hold.pickup_branch_id,
        copy=copy,
        item_type_id=copy.item_type_id if copy else None,
        borrower_id=hold.borrower_id,
        borrower_category_id=hold.borrower.category_id if hold.borrower else None,
    )


def record_imported_events(*, kind: LoanEvent.Kind, loans: Iterable[Loan]) -> None:
    """Record the checkouts or check-ins of loans that were imported or entered by hand.

    The branch is the copy's and the category is the borrower's current one: no other is known.

    Parameters
    ----------
    kind
        ``CHECKOUT`` or ``CHECKIN``.
    loans
        Saved loans; for a check-in, returned ones.
    """
    for batch in batches(loans, KEYS_PER_QUERY):
        copies = Copy.objects.in_bulk({loan.copy_id for loan in batch})
        borrowers = {loan.borrower_id for loan in batch if loan.borrower_id}
        categories = dict(Borrower.objects.filter(pk__in=borrowers).values_list("pk", "category"))
        LoanEvent.objects.bulk_create(
            LoanEvent(
                kind=kind,
                occurred_at=_occurrence(kind, loan),
                book_id=copies[loan.copy_id].book_id,
                branch_id=copies[loan.copy_id].branch_id,
                copy_id=loan.copy_id,
                item_type_id=copies[loan.copy_id].item_type_id,
                loan=loan,
                borrower_id=loan.borrower_id,
                borrower_category_id=categories[loan.borrower_id] if loan.borrower_id else None,
            )
            for loan in batch
        )


def _occurrence(kind: LoanEvent.Kind, loan: Loan) -> datetime:
    if kind == LoanEvent.Kind.CHECKOUT:
        return loan.borrowed_at
    assert loan.returned_at is not None
    return loan.returned_at
