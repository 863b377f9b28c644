"""Staleness of suggestions: a fingerprint per book, of everything that its suggestions depend on.

Loans enter by a book's neighbourhood: what its borrowers borrowed. So a changed loan makes stale every book
that shares its borrower, and no other. (Predictions for books further away change too, by less than can be
seen; the next version reads them all.)
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
from classifier.pipeline.text.segmentation import dictionary_key
from classifier.selectors.records import book_rows
from classifier.services.fingerprints import file_state
from library.catalogue.models import Book, Category

MAX_TITLES = 500
"""A borrower of more titles connects none: links are divided by the square root of the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """Fingerprints of books under one version, from a `context` that is the same for all."""

    context: str
    neighbourhoods: Mapping[str, int]
    rejected: Mapping[str, Sequence[str]]

    @classmethod
    def of(
        cls,
        *,
        version: ModelVersion,
        classes: list[str],
        categories: Mapping[str, Category],
        precision: float,
        loans: LoanTable,
        rejected: Mapping[str, Sequence[str]],
    ) -> Self:
        """Return the fingerprints under a version and today's categories: see `categories_by_key`."""
        existing = [(name, categories[name].pk) for name in classes if name in categories]
        return cls(
            context=repr((FORMAT, dictionary_key(), version.name, precision, existing)),
            neighbourhoods=neighbourhoods(loans),
            rejected=rejected,
        )

    def fingerprint(self, book: BookRecord) -> str:
        """Return the digest of everything that a book's suggestions depend on."""
        inputs: tuple[Any, ...] = (
            self.context, book.id, book.title, book.subtitle, book.authors, book.publisher, book.year,
            book.language, book.description, str(book.cover), file_state(book.cover), str(book.audio),
            file_state(book.audio), self.neighbourhoods.get(book.id, 0),
            sorted(self.rejected.get(book.id, ())),
        )  # fmt: skip
        return blake2b(repr(inputs).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def stale(self, books: QuerySet[Book]) -> Iterator[int]:
        """Yield the primary keys of the books that were never classified or have changed since."""
        has_suggestion = Exists(Suggestion.objects.filter(book=OuterRef("pk"), rank=1))
        rows = book_rows(
            books.annotate(suggested=has_suggestion),
            "pk",
            "fingerprint__fingerprint",
            "fingerprint__undone",
            "suggested",
        )
        for record, key, previous, undone, suggested in rows:
            if previous != self.fingerprint(record) or not (suggested or undone):
                yield key


def neighbourhoods(loans: LoanTable) -> dict[str, int]:
    """Return a hash of what its borrowers borrowed, for each book with loans, without their keys."""
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
    borrowed[titles > MAX_TITLES] = 1
    around = np.zeros(n, np.uint64)
    np.add.at(around, book, _mixed(borrowed)[borrower])
    return dict(zip(loans.book_ids, around.tolist(), strict=True))


def _mixed(values: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the finaliser of splitmix64 (Steele et al. 2014): without it, sums of sums would cancel out."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
