"""Reads of the loans."""

from collections import defaultdict
from collections.abc import Collection

from django.db.models import F

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan
from library.db import KEYS_A_QUERY, batches


def loans_of_books(*, book_ids: Collection[int]) -> list[tuple[int, str | None, Loan]]:
    """Return all loans of the books, each after the book's key and the card number, None if forgotten."""
    loans: list[tuple[int, str | None, Loan]] = []
    for ids in batches(sorted(book_ids), KEYS_A_QUERY):
        found = Loan.objects.filter(copy__book__in=ids).order_by()
        found_with = found.annotate(book_id=F("copy__book_id"), card_number=F("borrower__card_number"))
        loans += [(loan.book_id, loan.card_number, loan) for loan in found_with]
    return loans


def copies_of_books(*, book_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the primary keys of the books' copies by book, oldest first."""
    copies: dict[int, list[int]] = defaultdict(list)
    for ids in batches(sorted(book_ids), KEYS_A_QUERY):
        found = Copy.objects.filter(book__in=ids).order_by("pk")
        for pk, book_id in found.values_list("pk", "book_id"):
            copies[book_id].append(pk)
    return copies


def figures() -> dict[str, int]:
    """Return how much is out and waited for, for the state of the installation."""
    return {
        "open_loans": Loan.objects.filter(returned_at=None).count(),
        "active_holds": Hold.objects.filter(status__in=Hold.ACTIVE).count(),
    }
