"""Rows of the library as records of the pipeline."""

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db.models import QuerySet

from classifier.pipeline.notation import implied_parents
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable
from library.catalogue.models import Book, Category
from library.circulation.models import Loan

TRUSTED_SOURCES = [Book.CategorySource.IMPORTED, Book.CategorySource.LIBRARIAN]
"""Whose categories the model learns from; its own guesses would only confirm themselves."""

BOOK_FIELDS = (
    "control_number", "title", "subtitle", "authors", "publisher", "year", "language", "description", "cover",
    "audio", "category__scheme", "category__notation", "category_source",
)  # fmt: skip
"""What of a book the pipeline is given; how it is filed at the end."""


def all_books() -> QuerySet[Book]:
    """Return every book in the order of control numbers: the order decides how ties fall."""
    return Book.objects.order_by("control_number")


def catalogue(books: QuerySet[Book]) -> Catalogue:
    """Return books with all loans of the library.

    A book's category is its `category_key` if a person or an import gave it, else None.
    """
    return catalogue_and_borrowers(books)[0]


def catalogue_and_borrowers(books: QuerySet[Book]) -> tuple[Catalogue, list[int]]:
    """Return books with all loans, and the primary keys behind the loans' borrower numbers.

    Both come from one query: a first loan made between two would number everyone anew.
    """
    media = Path(settings.MEDIA_ROOT)
    records = [_record(row, media) for row in books.values_list(*BOOK_FIELDS).iterator()]
    table, borrowers = loans()
    return Catalogue(books=records, loans=table, parents=parents()), borrowers


def loans() -> tuple[LoanTable, list[int]]:
    """Return every loan and the primary keys of the borrowers; borrower number i is the i-th of them."""
    rows = Loan.objects.order_by("borrower_id", "borrowed_at", "id").values_list(
        "copy__book__control_number", "borrower_id", "borrowed_at"
    )
    index: dict[str, int] = {}
    book, borrower, borrowed_at = array("i"), array("q"), array("q")
    for number, person, when in rows.iterator():
        book.append(index.setdefault(number, len(index)))
        borrower.append(person)
        borrowed_at.append(int(when.timestamp()))
    keys, numbers = np.unique(np.array(borrower, np.int64), return_inverse=True)
    table = LoanTable(
        book_ids=list(index),
        book=np.array(book, np.int32),
        borrower=numbers.astype(np.int32),
        borrowed_at=np.array(borrowed_at, np.int64),
    )
    return table, keys.tolist()


def parents() -> dict[str, str]:
    """Return the category above each category that has one above, by `category_key`.

    Where nobody has said so of any category of a scheme, what the notations imply.
    """
    rows = list(
        Category.objects.values_list("scheme", "notation", "parent__scheme", "parent__notation").order_by(
            "pk"
        )
    )
    said = {
        category_key(scheme, notation): category_key(above_scheme, above)
        for scheme, notation, above_scheme, above in rows
        if above is not None
    }
    drawn = {scheme for scheme, _, _, above in rows if above is not None}
    implied = implied_parents(
        category_key(scheme, notation) for scheme, notation, _, _ in rows if scheme not in drawn
    )
    return said | implied


def category_key(scheme: str, notation: str) -> str:
    """Return what the model calls a category: it must mean the same on another machine."""
    return f"{scheme}/{notation}"


def categories_by_key() -> dict[str, Category]:
    """Return all categories by `category_key`."""
    return {category_key(c.scheme, c.notation): c for c in Category.objects.all()}


def book_keys(control_numbers: Iterable[str]) -> dict[str, int]:
    """Return the primary keys of books by control number."""
    wanted = set(control_numbers)
    rows = Book.objects.values_list("control_number", "id").iterator()
    return {number: key for number, key in rows if number in wanted}


def _record(row: tuple, media: Path) -> BookRecord:
    (
        number,
        title,
        subtitle,
        authors,
        publisher,
        year,
        language,
        description,
        cover,
        audio,
        scheme,
        notation,
        source,
    ) = row
    return BookRecord(
        id=number,
        title=title,
        subtitle=subtitle,
        authors=authors,
        publisher=publisher,
        year=year,
        language=language,
        description=description,
        cover=media / cover if cover else None,
        audio=media / audio if audio else None,
        category=category_key(scheme, notation) if source in TRUSTED_SOURCES else None,
    )
