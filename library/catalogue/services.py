"""Writes to the catalogue."""

from collections.abc import Iterable, Sequence

from library.catalogue.models import Book, Category, Copy
from library.catalogue.selectors import category_ids
from library.tabular import KEYS_A_QUERY, batches, longest


def librarian_source(*, category: Category | None) -> Book.CategorySource:
    """Return the source to record when a librarian files a book by hand.

    Parameters
    ----------
    category : Category or None
        The category chosen; None when it was cleared.

    Returns
    -------
    Book.CategorySource
        ``LIBRARIAN``, which no import and no model overwrites, or ``NONE``: the model may suggest again.
    """
    return Book.CategorySource.LIBRARIAN if category else Book.CategorySource.NONE


def ensure_categories(*, scheme: str, notations: Iterable[str]) -> int:
    """Make those categories of the scheme that are not there yet.

    Returns
    -------
    int
        How many were made.
    """
    missing = set(notations) - category_ids(scheme=scheme).keys()
    # Another import may make the same ones meanwhile.
    Category.objects.bulk_create(
        [Category(scheme=scheme, notation=notation) for notation in sorted(missing)], ignore_conflicts=True
    )
    return len(missing)


def add_copies(*, books: Sequence[tuple[int, str]]) -> list[Copy]:
    """Make a copy for every entry, so two for a book that is there twice.

    The barcode is the book's control number or, where that is taken, the number and -2, -3 and so on.

    Parameters
    ----------
    books : sequence of (primary key, control number)

    Returns
    -------
    list of Copy
        In the order of `books`.
    """
    barcodes: list[str] = [""] * len(books)
    taken: set[str] = set()
    waiting = list(range(len(books)))
    ordinal = 0
    while waiting:
        ordinal += 1
        wanted = {index: _barcode(books[index][1], ordinal) for index in waiting}
        taken |= _barcodes_in_use(wanted.values())
        for index, barcode in wanted.items():
            if barcode not in taken:
                taken.add(barcode)
                barcodes[index] = barcode
        waiting = [index for index in waiting if not barcodes[index]]
    return Copy.objects.bulk_create(
        [Copy(book_id=pk, barcode=barcode) for (pk, _), barcode in zip(books, barcodes, strict=True)]
    )


def add_first_copies(*, control_numbers: Sequence[str]) -> int:
    """Make a copy of each of the books that has none: a librarian takes a listed title to be on the shelf.

    Returns
    -------
    int
        How many were made.
    """
    made = 0
    for numbers in batches(control_numbers, KEYS_A_QUERY):
        without = Book.objects.filter(control_number__in=numbers, copies=None).order_by("pk")
        made += len(add_copies(books=list(without.values_list("pk", "control_number"))))
    return made


def _barcode(control_number: str, ordinal: int) -> str:
    suffix = f"-{ordinal}" if ordinal > 1 else ""
    return control_number[: longest(Copy, "barcode") - len(suffix)] + suffix


def _barcodes_in_use(barcodes: Iterable[str]) -> set[str]:
    in_use: set[str] = set()
    for some in batches(set(barcodes), KEYS_A_QUERY):
        in_use.update(Copy.objects.filter(barcode__in=some).values_list("barcode", flat=True))
    return in_use
