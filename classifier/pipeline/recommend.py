"""Recommendations: titles that readers of the same books borrowed, and titles that read alike.

Each book keeps its nearest titles, by co-borrowing and by text. A borrower's list adds up the neighbours
of what they borrowed, newer loans counting more; the reason names the loan that contributed most.

References
----------
Sarwar et al., Item-Based Collaborative Filtering Recommendation Algorithms, WWW 2001.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from classifier.pipeline.config import RecommendConfig
from classifier.pipeline.features import Progress, no_progress
from classifier.pipeline.modalities.loans import book_borrower_matrix
from classifier.pipeline.neighbours import nearest
from classifier.pipeline.records import Float32, Int64, LoanTable

_CHUNK = 2048  # borrowers a step: a few hundred MB of products at most
_YEAR = 365.25 * 86400

Source = Literal["loans", "text", "popular"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """One title for one borrower.

    Attributes
    ----------
    borrower : int
        As in the `LoanTable`.
    rank : int
        From 1.
    book : str
    score : float
    source : {"loans", "text", "popular"}
        What contributed most.
    because : str
        The borrowed title that contributed most; empty for "popular".
    """

    borrower: int
    rank: int
    book: str
    score: float
    source: Source
    because: str


class Recommender:
    """Nearest titles by co-borrowing and by text.

    Parameters
    ----------
    settings : RecommendConfig

    Attributes
    ----------
    by_loans_, by_text_ : CSR matrix (n_books, n_books)
        Nearest titles of each book, `settings.neighbours` at most, no title its own neighbour.
    """

    def __init__(self, *, settings: RecommendConfig) -> None:
        self.settings = settings

    def fit(
        self,
        loans: LoanTable,
        *,
        book_ids: Sequence[str],
        text: sp.csr_matrix | None,
        progress: Progress = no_progress,
    ) -> Self:
        """Find the nearest titles of each book.

        Parameters
        ----------
        loans : LoanTable
            Of the books in `book_ids`; loans of others are left out.
        book_ids : sequence of str
            The titles that can be recommended.
        text : CSR matrix (n_books, n_terms) or None
            Weighted terms of the books in `book_ids`.
        progress : callable
        """
        self.book_ids = list(book_ids)
        self.loans = _of_books(loans, self.book_ids)
        borrowers = book_borrower_matrix(self.loans)
        self.by_loans_ = nearest(
            borrowers, self.settings.neighbours, on_step=lambda d, t: progress("comparing loans", d, t)
        )
        self.by_text_ = sp.csr_matrix((len(self.book_ids),) * 2, dtype=np.float32)
        if text is not None:
            telling = _telling_terms(text)
            self.by_text_ = nearest(
                telling, self.settings.neighbours, on_step=lambda d, t: progress("comparing texts", d, t)
            )
        popularity = self.loans.popularity
        self.popularity_ = popularity / max(1, popularity.max(initial=0))  # (n_books,)
        self._neighbours = (self.by_loans_ + self.settings.text_weight * self.by_text_).tocsr()
        return self

    def similar(self, *, n: int) -> Iterator[tuple[str, int, str, float]]:
        """Yield (book, rank, similar book, score) for every book that has similar ones, best first."""
        for row in range(len(self.book_ids)):
            start, end = self._neighbours.indptr[row : row + 2]
            columns, scores = self._neighbours.indices[start:end], self._neighbours.data[start:end]
            for rank, k in enumerate(np.lexsort((columns, -scores))[:n], start=1):
                yield self.book_ids[row], rank, self.book_ids[columns[k]], float(scores[k])

    def recommend(
        self,
        *,
        n: int,
        now: float,
        include_borrowed: bool = False,
        excluded: Mapping[int, Sequence[int]] = MappingProxyType({}),
        progress: Progress = no_progress,
    ) -> Iterator[Recommended]:
        """Yield `n` titles for each known borrower who has a loan, fewer if there are fewer.

        Parameters
        ----------
        n : int
        now : float
            Seconds since 1970-01-01 UTC; loans fade from here backwards.
        include_borrowed : bool
            Whether titles the borrower has had may come again.
        excluded : mapping of int to sequence of int
            By borrower, where in `book_ids` the titles stand that this borrower does not want.
        progress : callable
        """
        history = self._history(now)[: self.loans.known]  # (n_known, n_books)
        for start in range(0, history.shape[0], _CHUNK):
            progress("recommending", start, history.shape[0])
            part = history[start : start + _CHUNK]
            scores = (part @ self._neighbours).tocsr()
            for offset in range(part.shape[0]):
                had = part.indices[part.indptr[offset] : part.indptr[offset + 1]]
                if len(had):
                    row = (
                        scores[[offset]].toarray().ravel()
                        + self.settings.popularity_weight * self.popularity_
                    )
                    if not include_borrowed:
                        row[had] = 0
                    row[list(excluded.get(start + offset, ()))] = 0
                    yield from self._list(start + offset, part[[offset]], row, n)
        progress("recommending", history.shape[0], history.shape[0])

    def _history(self, now: float) -> sp.csr_matrix:
        """Return what each title weighs in each borrower's history; one had twice counts its last loan."""
        age = np.maximum(now - self.loans.borrowed_at, 0) / _YEAR  # (n_loans,)
        weight = np.exp2(-age / self.settings.half_life_years).astype(np.float32)
        shape = (self.loans.n_borrowers, len(self.book_ids))
        newest = np.argsort(-weight, kind="stable")
        pair = self.loans.borrower[newest].astype(np.int64) * shape[1] + self.loans.book[newest]
        pair, first = np.unique(pair, return_index=True)
        return sp.csr_matrix((weight[newest][first], (pair // shape[1], pair % shape[1])), shape=shape)

    def _list(self, borrower: int, history: sp.csr_matrix, row: Float32, n: int) -> Iterator[Recommended]:
        best = np.argsort(-row, kind="stable")[:n]
        best = best[row[best] > 0]
        if not len(best):
            return
        had = history.indices
        from_loans = _columns(self.by_loans_, had, best) * history.data[:, None]  # (had, best)
        from_text = _columns(self.by_text_, had, best) * history.data[:, None] * self.settings.text_weight
        both = from_loans + from_text
        for rank, book in enumerate(best, start=1):
            part = both[:, rank - 1]
            top = int(part.argmax())
            source: Source = "loans" if from_loans[top, rank - 1] >= from_text[top, rank - 1] else "text"
            if part[top] <= 0:
                source = "popular"
            yield Recommended(
                borrower=borrower,
                rank=rank,
                book=self.book_ids[book],
                score=float(row[book]),
                source=source,
                because="" if source == "popular" else self.book_ids[had[top]],
            )


def _telling_terms(text: sp.csr_matrix) -> sp.csr_matrix:
    """Leave out terms that over 1 % of the books share: they cost most of the time and tell the least."""
    books = np.bincount(text.indices, minlength=text.shape[1])
    telling = text[:, books <= max(50, text.shape[0] // 100)]
    return normalize(telling).tocsr() if telling.nnz else telling.tocsr()  # normalize refuses no terms at all


def _of_books(loans: LoanTable, book_ids: Sequence[str]) -> LoanTable:
    """Return the loans with `book` pointing into `book_ids`."""
    index = {book: i for i, book in enumerate(book_ids)}
    position: Int64 = np.array([index.get(book, -1) for book in loans.book_ids], np.int64)
    book = position[loans.book] if len(loans) else np.empty(0, np.int64)
    kept = book >= 0
    times = np.zeros(len(book_ids), np.int64)
    times[position[position >= 0]] = loans.popularity[position >= 0]
    return LoanTable(
        book_ids=book_ids,
        book=book[kept].astype(np.int32),
        borrower=loans.borrower[kept],
        borrowed_at=loans.borrowed_at[kept],
        times_borrowed=times,
        known=loans.known,
    )


def _columns(matrix: sp.csr_matrix, rows: Int64, columns: Int64) -> Float32:
    return np.asarray(matrix[rows][:, columns].toarray(), np.float32)
