"""Rows for tests: small functions with a default for everything, so that a test names what it is about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from library.catalogue.models import Book, Branch, Category, Copy, ItemType, TaxonomyChange
from library.catalogue.services import save_book
from library.circulation.models import Loan, LoanPolicy
from library.people.models import Borrower, BorrowerCategory
from library.people.services.borrowers import save_borrower

#: The present of the tests, handed to services as ``now=``.
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)

_numbers = count(100_001)  # each with as many digits, so that text is sorted as numbers are


def make_category(**fields: Any) -> Category:
    """Return a saved category of the scheme "local"."""
    return Category.objects.create(**{"notation": f"C{next(_numbers)}"} | fields)


def make_taxonomy_change(**fields: Any) -> TaxonomyChange:
    """Return a saved move of a new category, unless told otherwise, that changes nothing when undone."""
    if "category" not in fields:
        fields["category"] = make_category()
    return TaxonomyChange.objects.create(**{"kind": "move", "parameters": {}, "made_at": NOW} | fields)


def make_book(**fields: Any) -> Book:
    """Return a saved book that a search finds; its category is a librarian's unless told otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {"control_number": f"B{number}", "title": f"Title {number}"}
    if fields.get("category"):
        defaults["category_source"] = Book.CategorySource.LIBRARIAN
    book = Book(**defaults | fields)
    save_book(book=book)
    return book


def make_copy(**fields: Any) -> Copy:
    """Return a saved copy, of a new book unless told which."""
    if "book" not in fields:
        fields["book"] = make_book()
    return Copy.objects.create(**{"barcode": f"K{next(_numbers)}"} | fields)


def make_borrower(**fields: Any) -> Borrower:
    """Return a saved borrower that a search finds."""
    borrower = Borrower(**{"card_number": f"P{next(_numbers)}"} | fields)
    save_borrower(borrower=borrower)
    return borrower


def make_loan(**fields: Any) -> Loan:
    """Return a saved open loan, made a week before `NOW`; ``book=`` lends a new copy of that book."""
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
    """Return the rule for those keys, the one for everything unless told otherwise, with these terms.

    Only what is named differs from the rule that the migrations make.
    """
    keys = {name: fields.pop(name, None) for name in ("branch", "borrower_category", "item_type")}
    return LoanPolicy.objects.update_or_create(**keys, defaults=fields)[0]
