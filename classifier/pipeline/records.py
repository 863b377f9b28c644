"""Input of the pipeline: books and loans."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRecord:
    """A book; an empty string or None means unknown."""

    id: str
    title: str = ""
    subtitle: str = ""
    authors: str = ""
    publisher: str = ""
    year: int | None = None
    language: str = ""
    description: str = ""
    cover: Path | None = None
    audio: Path | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanTable:
    """Loans as columns, each (n_loans,); borrowers are numbers without meaning outside this table.

    A synthetic borrower represents an anonymised one by a single pair of co-borrowed titles.

    Attributes
    ----------
    book
        Index into `book_ids`.
    borrowed_at
        Seconds since 1970-01-01 UTC.
    times_borrowed : (len(book_ids),)
        Loans of each book, which may exceed its rows in `book` after anonymisation; None: the rows in `book`.
    first_synthetic
        Borrowers from this number on are synthetic; None: no borrower is.
    memo
        Cache of results derived from the table, by owner.
    """

    book_ids: Sequence[str] = ()
    book: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    borrower: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    borrowed_at: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    times_borrowed: Int64 | None = None
    first_synthetic: int | None = None
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.book)

    @property
    def n_borrowers(self) -> int:
        """Return the number of possible borrowers."""
        return int(self.borrower.max()) + 1 if len(self) else 0

    @property
    def n_identified(self) -> int:
        """Return the number of identified (not synthetic) borrowers."""
        return self.n_borrowers if self.first_synthetic is None else self.first_synthetic

    @property
    def is_identified(self) -> Bool:
        """Return which loans belong to identified borrowers, (n_loans,)."""
        return np.asarray(self.borrower < self.n_identified)

    @property
    def popularity(self) -> Int64:
        """Return the number of loans of each of `book_ids`."""
        if self.times_borrowed is not None:
            return self.times_borrowed
        return np.bincount(self.book, minlength=len(self.book_ids))

    def of_books(self, book_ids: Sequence[str]) -> "LoanTable":
        """Return the loans of some books, with `book` indexing `book_ids`."""
        index = {book: i for i, book in enumerate(book_ids)}
        position: Int64 = np.array([index.get(book, -1) for book in self.book_ids], np.int64)
        book = position[self.book] if len(self) else np.empty(0, np.int64)
        kept = book >= 0
        times = np.zeros(len(book_ids), np.int64)
        times[position[position >= 0]] = self.popularity[position >= 0]
        return LoanTable(
            book_ids=book_ids,
            book=book[kept].astype(np.int32),
            borrower=self.borrower[kept],
            borrowed_at=self.borrowed_at[kept],
            times_borrowed=times,
            first_synthetic=self.first_synthetic,
        )

    def histories(self) -> Iterator[tuple[int, Int64, Int64]]:
        """Yield each identified borrower, the distinct titles borrowed, and when each was last borrowed."""
        kept = np.flatnonzero(self.is_identified)
        order = kept[np.lexsort((self.borrowed_at[kept], self.book[kept], self.borrower[kept]))]
        borrower, book = self.borrower[order].astype(np.int64), self.book[order].astype(np.int64)
        last = np.append((np.diff(borrower) != 0) | (np.diff(book) != 0), np.ones(min(1, len(order)), bool))
        borrower, book, times = borrower[last], book[last], self.borrowed_at[order][last]
        ends = np.flatnonzero(np.diff(borrower, append=-1)) + 1
        start = 0
        for end in ends.tolist():
            yield int(borrower[start]), book[start:end], times[start:end]
            start = end


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Books to learn from or to classify, with the parent of each category that has one.

    Loans may involve more books than `books`: a book is described by co-borrowed titles.
    """

    books: Sequence[BookRecord]
    loans: LoanTable = field(default_factory=LoanTable)
    parents: Mapping[str, str] = field(default_factory=dict)
