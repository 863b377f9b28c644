"""Which books have to be classified again: a fingerprint a book, of all that its suggestions hang on.

A book's loans are told by its neighbourhood: what its borrowers borrowed. So a loan made, moved or deleted
makes stale every book that shares its borrower, and no other. (By way of these the answers for books further
away move too, by less than can be seen; the next version reads them all.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet

from classifier.models import ModelVersion, Suggestion
from classifier.pipeline.records import BookRecord, LoanTable
from classifier.pipeline.storage.sealed_directory import FORMAT
from classifier.selectors.records import book_rows
from classifier.services.fingerprints import file_state
from library.catalogue.models import Book, Category

BUSY = 500
"""Whoever borrowed more titles than this ties none to another: the square root of the number divides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """What books are read by.

    Attributes
    ----------
    context : str
        What is the same for all books.
    neighbourhoods : mapping of str to int
        See `neighbourhoods`.
    rejected : mapping of str to sequence of str
        By book, the categories that a librarian has rejected for it.
    """

    context: str
    neighbourhoods: Mapping[str, int]
    rejected: Mapping[str, Sequence[str]]

    @classmethod
    def of(
        cls,
        *,
        version: ModelVersion,
        classes: list[str],
        known: Mapping[str, Category],
        precision: float,
        loans: LoanTable,
        rejected: Mapping[str, Sequence[str]],
    ) -> Self:
        """Return those by a version with the categories that the library has now: see `categories_by_key`."""
        there = [(name, known[name].pk) for name in classes if name in known]
        return cls(
            context=repr((FORMAT, version.name, precision, there)),
            neighbourhoods=neighbourhoods(loans),
            rejected=rejected,
        )

    def fingerprint(self, book: BookRecord) -> str:
        """Return the digest of all that a book's suggestions hang on."""
        read: tuple[Any, ...] = (
            self.context, book.id, book.title, book.subtitle, book.authors, book.publisher, book.year,
            book.language, book.description, str(book.cover), file_state(book.cover), str(book.audio),
            file_state(book.audio), self.neighbourhoods.get(book.id, 0),
            sorted(self.rejected.get(book.id, ())),
        )  # fmt: skip
        return blake2b(repr(read).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def stale(self, books: QuerySet[Book]) -> Iterator[int]:
        """Yield the primary keys of the books that were never classified or would be read otherwise now."""
        suggested = Exists(Suggestion.objects.filter(book=OuterRef("pk"), rank=1))
        rows = book_rows(
            books.annotate(suggested=suggested), "pk", "reading__fingerprint", "reading__undone", "suggested"
        )
        for record, key, last, undone, there in rows:
            if last != self.fingerprint(record) or not (there or undone):
                yield key


def neighbourhoods(loans: LoanTable) -> dict[str, int]:
    """Return for each book with loans a hash of what its borrowers borrowed.

    Sums of hashes, so that the order does not matter, and no key of a borrower goes into them.
    """
    n = len(loans.book_ids)
    if not n:
        return {}
    keys = np.array(
        [int.from_bytes(blake2b(book.encode(), digest_size=8).digest(), "big") for book in loans.book_ids],
        np.uint64,
    )
    borrower, book = np.divmod(np.unique(loans.borrower.astype(np.int64) * n + loans.book), n)
    titles = np.bincount(borrower)
    borrowed = np.zeros(len(titles), np.uint64)
    np.add.at(borrowed, borrower, keys[book])
    borrowed[titles > BUSY] = 1
    around = np.zeros(n, np.uint64)
    np.add.at(around, book, _mixed(borrowed)[borrower])
    return dict(zip(loans.book_ids, around.tolist(), strict=True))


def _mixed(values: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the finaliser of splitmix64 (Steele et al. 2014): sums of sums would cancel out without."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
