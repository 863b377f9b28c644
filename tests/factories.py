"""Factories of rows for tests, with defaults for every field, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from library.catalogue.models import Book, Branch, Category, Copy, ItemType, TaxonomyChange
from library.catalogue.services import save_book
from library.circulation.models import Loan, LoanPolicy
from library.people.models import Borrower, BorrowerCategory
from library.people.services.borrowers import save_borrower

#: The current time in tests, passed to services as ``now=``.
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)

_numbers = count(100_001)  # all of the same length, so that text sorts like numbers


def make_category(**fields: Any) -> Category:
    """Return a saved category of the scheme "local"."""
    return Category.objects.create(**{"notation": f"C{next(_numbers)}"} | fields)


def make_taxonomy_change(**fields: Any) -> TaxonomyChange:
    """Return a saved change, by default a move of a new category, whose undoing changes nothing."""
    if "category" not in fields:
        fields["category"] = make_category()
    return TaxonomyChange.objects.create(**{"kind": "move", "parameters": {}, "created_at": NOW} | fields)


def make_book(**fields: Any) -> Book:
    """Return a saved and indexed book; the default source of a category is a librarian."""
    number = next(_numbers)
    defaults: dict[str, Any] = {"control_number": f"B{number}", "title": f"Title {number}"}
    if fields.get("category"):
        defaults["category_source"] = Book.CategorySource.LIBRARIAN
    book = Book(**defaults | fields)
    save_book(book=book)
    return book


def make_copy(**fields: Any) -> Copy:
    """Return a saved copy, by default of a new book."""
    if "book" not in fields:
        fields["book"] = make_book()
    return Copy.objects.create(**{"barcode": f"K{next(_numbers)}"} | fields)


def make_borrower(**fields: Any) -> Borrower:
    """Return a saved and indexed borrower."""
    borrower = Borrower(**{"card_number": f"P{next(_numbers)}"} | fields)
    save_borrower(borrower=borrower)
    return borrower


def make_loan(**fields: Any) -> Loan:
    """Return a saved open loan, checked out a week before `NOW`; ``book=`` adds a new copy of that book."""
    if "copy" not in fields:
        fields["copy"] = make_copy(**{"book": fields.pop("book")} if "book" in fields else {})
    if "borrower" not in fields:
        fields["borrower"] = make_borrower()
    borrowed_at = fields.setdefault("borrowed_at", NOW - timedelta(days=7))
    return Loan.objects.create(**{"due_at": borrowed_at + timedelta(days=28)} | fields)


def make_branch(**fields: Any) -> Branch:
    """Return a saved branch."""
    number = next(_numbers)
    return Branch.objects.create(**{"code": f"branch-{number}", "name": f"Branch {number}"} | fields)


def make_item_type(**fields: Any) -> ItemType:
    """Return a saved item type."""
    number = next(_numbers)
    return ItemType.objects.create(**{"code": f"type-{number}", "name": f"Type {number}"} | fields)


def make_borrower_category(**fields: Any) -> BorrowerCategory:
    """Return a saved borrower category."""
    number = next(_numbers)
    return BorrowerCategory.objects.create(**{"code": f"group-{number}", "name": f"Group {number}"} | fields)


def make_policy(**fields: Any) -> LoanPolicy:
    """Return the policy for these keys, by default the general one, with these terms.

    Other terms are those of the policy that the migrations create.
    """
    keys = {name: fields.pop(name, None) for name in ("branch", "borrower_category", "item_type")}
    return LoanPolicy.objects.update_or_create(**keys, defaults=fields)[0]
