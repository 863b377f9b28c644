"""Copies of books: made with barcodes of their own."""

from collections.abc import Iterable, Sequence

from library.catalogue.models import Book, Copy
from library.db import KEYS_A_QUERY, batches
from library.tabular import longest


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
