"""Create copies of books with generated barcodes."""

from collections.abc import Iterable, Sequence

from library.catalogue.models import Book, Copy
from library.db import KEYS_PER_QUERY, batches
from library.tabular import max_length


def add_copies(*, books: Sequence[tuple[int, str]]) -> list[Copy]:
    """Create a copy for every entry, in the same order; a repeated book gets several.

    The barcode is the control number of the book or, if that is in use, the number followed by -2, -3 and so
    on.
    """
    barcodes: list[str] = [""] * len(books)
    taken: set[str] = set()
    pending = list(range(len(books)))
    ordinal = 0
    while pending:
        ordinal += 1
        candidates = {index: _barcode(books[index][1], ordinal) for index in pending}
        taken |= _barcodes_in_use(candidates.values())
        for index, barcode in candidates.items():
            if barcode not in taken:
                taken.add(barcode)
                barcodes[index] = barcode
        pending = [index for index in pending if not barcodes[index]]
    return Copy.objects.bulk_create(
        [Copy(book_id=pk, barcode=barcode) for (pk, _), barcode in zip(books, barcodes, strict=True)]
    )


def add_first_copies(*, control_numbers: Sequence[str]) -> int:
    """Create a copy of each book that has none, because listed titles are on the shelf; return the number."""
    created = 0
    for numbers in batches(control_numbers, KEYS_PER_QUERY):
        without = Book.objects.filter(control_number__in=numbers, copies=None).order_by("pk")
        created += len(add_copies(books=list(without.values_list("pk", "control_number"))))
    return created


def _barcode(control_number: str, ordinal: int) -> str:
    suffix = f"-{ordinal}" if ordinal > 1 else ""
    return control_number[: max_length(Copy, "barcode") - len(suffix)] + suffix


def _barcodes_in_use(barcodes: Iterable[str]) -> set[str]:
    in_use: set[str] = set()
    for batch in batches(set(barcodes), KEYS_PER_QUERY):
        in_use.update(Copy.objects.filter(barcode__in=batch).values_list("barcode", flat=True))
    return in_use
