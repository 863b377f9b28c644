"""Loans and copies of books."""

from collections import defaultdict
from collections.abc import Collection

from django.db.models import F

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan
from library.db import KEYS_PER_QUERY, batches


def loans_of_books(*, book_ids: Collection[int]) -> list[tuple[int, str | None, Loan]]:
    """Return all loans of books as (book key, card number, loan); the number is None if anonymised."""
    loans: list[tuple[int, str | None, Loan]] = []
    for ids in batches(sorted(book_ids), KEYS_PER_QUERY):
        rows = Loan.objects.filter(copy__book__in=ids).order_by()
        rows = rows.annotate(book_id=F("copy__book_id"), card_number=F("borrower__card_number"))
        loans += [(loan.book_id, loan.card_number, loan) for loan in rows]
    return loans


def copies_of_books(*, book_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the primary keys of the books' copies by book, oldest first."""
    copies: dict[int, list[int]] = defaultdict(list)
    for ids in batches(sorted(book_ids), KEYS_PER_QUERY):
        rows = Copy.objects.filter(book__in=ids).order_by("pk")
        for pk, book_id in rows.values_list("pk", "book_id"):
            copies[book_id].append(pk)
    return copies


def installation_counts() -> dict[str, int]:
    """Return the numbers of open loans and active holds, for the installation counts."""
    return {
        "open_loans": Loan.objects.filter(returned_at=None).count(),
        "active_holds": Hold.objects.filter(status__in=Hold.ACTIVE).count(),
    }
