"""Recommendations: what a borrower had says which titles come next, by who reads and by what it is about.

A sparse linear regression: each title is predicted from the titles nearest to it, with a penalty on the
squares of the weights. It learns from borrowers and from the words of the titles at once: a word counts as a
borrower who had every title that has it. So a title that nobody has had is predicted by its words, and a
weight is a sum of two parts, what the borrowers and what the words say, which is what reasons are told from.

What fewer than ``min_borrowers`` borrowers share is left out before anything is learned: nothing rests on
what one person alone had.

References
----------
Ning and Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011 (the regression on
neighbours: fsSLIM).
Ning and Karypis, Sparse Linear Methods with Side Information for Top-N Recommendations, RecSys 2012 (words
beside borrowers: cSLIM).
Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019 (the squared penalty).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from classifier.pipeline.config import RecommendConfig
from classifier.pipeline.features import Progress, no_progress
from classifier.pipeline.neighbours import nearest
from classifier.pipeline.records import Float32, Int64, LoanTable
from classifier.pipeline.together import borrowed_together, readers, weights

_CHUNK = 2048  # borrowers a step: a few hundred MB of products at most
_YEAR = 365.25 * 86400

Source = Literal["loans", "text", "popular", "again"]


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
    source : {"loans", "text", "popular", "again"}
        What contributed most; "again" is that the borrower has had it.
    because : str
        The borrowed title that contributed most, itself for "again"; empty for "popular".
    """

    borrower: int
    rank: int
    book: str
    score: float
    source: Source
    because: str


class Recommender:
    """Which titles come after which, and which are alike.

    Parameters
    ----------
    settings : RecommendConfig

    Attributes
    ----------
    like_by_loans_, like_by_text_ : CSR matrix (n_books, n_books)
        Nearest titles of each book, by the borrowers they share and by their words (cosines), no title its
        own neighbour.
    by_loans_, by_text_ : CSR matrix (n_books, n_books)
        What having had the title of the row adds to the score of that of the column; no sum of both is
        below 0.
    """

    def __init__(self, *, settings: RecommendConfig) -> None:
        self.settings = settings

    def fit(
        self,
        loans: LoanTable,
        *,
        book_ids: Sequence[str],
        text: sp.csr_matrix | None,
        authors: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> Self:
        """Learn which titles come after which.

        Parameters
        ----------
        loans : LoanTable
            Of the books in `book_ids`; loans of others are left out.
        book_ids : sequence of str
            The titles that can be recommended.
        text : CSR matrix (n_books, n_terms) or None
            Weighted terms of the books in `book_ids`.
        authors : sequence of str, optional
            Of the books in `book_ids`: no list has too many of one. Empty: unknown.
        progress : callable
        """
        settings = self.settings
        self.book_ids = list(book_ids)
        self.authors = list(authors) if authors is not None else [""] * len(self.book_ids)
        self.loans = _of_books(loans, self.book_ids)
        had = readers(self.loans)
        shared = borrowed_together(
            had, weight=weights(had, known=self.loans.known), least=settings.min_borrowers
        )
        self.like_by_loans_ = _largest(
            _cosines(shared),
            settings.near_by_loans,
            on_step=lambda done, total: progress("comparing loans", done, total),
        )
        n = len(self.book_ids)
        telling = _telling_terms(text) if text is not None else sp.csr_matrix((n, 0), dtype=np.float32)
        self.like_by_text_ = sp.csr_matrix((n, n), dtype=np.float32)
        if text is not None:
            self.like_by_text_ = nearest(
                telling,
                settings.near_by_text,
                on_step=lambda done, total: progress("comparing texts", done, total),
            )
        self.by_loans_, self.by_text_ = self._regress(shared, telling, progress)
        popularity = self.loans.popularity
        self.popularity_ = popularity / max(1, popularity.max(initial=0))  # (n_books,)
        self._alike = (self.like_by_loans_ + settings.text_share * self.like_by_text_).tocsr()
        self._weights = (self.by_loans_ + self.by_text_).tocsr()
        return self

    def _regress(
        self, shared: sp.csr_matrix, telling: sp.csr_matrix, progress: Progress
    ) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """Return what titles add to each other by loans and by text, (n_books, n_books) each."""
        n = len(self.book_ids)
        near = (self.like_by_loans_ + self.like_by_text_).tocsr()
        predictors, predicted, by_loans, by_text = [], [], [], []
        for title in range(n):
            if title % _CHUNK == 0:
                progress("learning what follows", title, n)
            rows = near.indices[near.indptr[title] : near.indptr[title + 1]]
            if not len(rows):
                continue
            rows = np.append(rows, title)
            loans = shared[rows][:, rows].toarray()
            words = telling[rows]
            text = self.settings.text_weight * (words @ words.T).toarray()
            penalised = loans + text + self.settings.penalty * np.eye(len(rows))
            both = np.column_stack([loans[:-1, -1], text[:-1, -1]])
            solved = np.linalg.solve(penalised[:-1, :-1], both)  # (n_near, 2): the parts add up to the whole
            solved = np.where(solved.sum(axis=1, keepdims=True) > 0, solved, 0)
            predictors.append(rows[:-1])
            predicted.append(np.full(len(rows) - 1, title))
            by_loans.append(solved[:, 0])
            by_text.append(solved[:, 1])
        progress("learning what follows", n, n)
        if not predicted:
            return sp.csr_matrix((n, n), dtype=np.float32), sp.csr_matrix((n, n), dtype=np.float32)
        at = np.concatenate(predictors), np.concatenate(predicted)
        parts = [np.concatenate(by_loans), np.concatenate(by_text)]
        whole = sp.csr_matrix((parts[0] + parts[1], at), shape=(n, n), dtype=np.float32)
        kept = _largest(whole, self.settings.neighbours)
        kept.data[:] = 1
        first, second = (
            sp.csr_matrix((part, at), shape=(n, n), dtype=np.float32).multiply(kept).tocsr() for part in parts
        )
        return first, second

    def similar(self, *, n: int) -> Iterator[tuple[str, int, str, float]]:
        """Yield (book, rank, similar book, score) for every book that has similar ones, best first."""
        for row in range(len(self.book_ids)):
            start, end = self._alike.indptr[row : row + 2]
            columns, scores = self._alike.indices[start:end], self._alike.data[start:end]
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
            scores = (part @ self._weights).tocsr()
            for offset in range(part.shape[0]):
                had = part.indices[part.indptr[offset] : part.indptr[offset + 1]]
                if len(had):
                    row = (
                        scores[[offset]].toarray().ravel()
                        + self.settings.popularity_weight * self.popularity_
                    )
                    again = self.settings.again_weight * part[[offset]].data
                    row[had] = row[had] + again if include_borrowed else 0
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
        best = self._best(row, n)
        if not len(best):
            return
        had = history.indices
        from_loans = _columns(self.by_loans_, had, best) * history.data[:, None]  # (had, best)
        from_text = _columns(self.by_text_, had, best) * history.data[:, None]
        # What was had comes again only where it may, so there its own loan counts.
        again = self.settings.again_weight * history.data[:, None] * (had[:, None] == best)
        both = from_loans + from_text + again
        for rank, book in enumerate(best, start=1):
            part = both[:, rank - 1]
            top = int(part.argmax())
            source: Source = "loans" if from_loans[top, rank - 1] >= from_text[top, rank - 1] else "text"
            if again[top, rank - 1] > from_loans[top, rank - 1] + from_text[top, rank - 1]:
                source = "again"
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

    def _best(self, row: Float32, n: int) -> Int64:
        """Return the `n` best titles, with no more of one author than the settings say."""
        most = max(1, round(n * self.settings.author_share))
        times: Counter[str] = Counter()
        best: list[int] = []
        for book in np.argsort(-row, kind="stable").tolist():
            if len(best) == n or row[book] <= 0:
                break
            author = self.authors[book]
            if author:
                times[author] += 1
                if times[author] > most:
                    continue
            best.append(book)
        return np.array(best, np.int64)


def _cosines(shared: sp.csr_matrix) -> sp.csr_matrix:
    """Return what titles share beside what each has, without the diagonal."""
    own = np.sqrt(np.maximum(shared.diagonal(), 1e-9))
    found = sp.coo_matrix(shared)
    other = found.row != found.col
    row, column = found.row[other], found.col[other]
    values = found.data[other] / (own[row] * own[column])
    return sp.csr_matrix((values, (row, column)), shape=shared.shape, dtype=np.float32)


def _largest(
    matrix: sp.csr_matrix, k: int, *, on_step: Callable[[int, int], None] = lambda done, total: None
) -> sp.csr_matrix:
    """Return the `k` largest values above 0 of each row."""
    n = matrix.shape[0]
    rows, columns, values = [], [], []
    for row in range(n):
        if row % _CHUNK == 0:
            on_step(row, n)
        at = slice(matrix.indptr[row], matrix.indptr[row + 1])
        where, what = matrix.indices[at], matrix.data[at]
        where, what = where[what > 0], what[what > 0]
        if len(what) > k:
            top = np.lexsort((where, -what))[:k]
            where, what = where[top], what[top]
        rows.append(np.full(len(what), row))
        columns.append(where)
        values.append(what)
    on_step(n, n)
    if not rows:
        return sp.csr_matrix(matrix.shape, dtype=np.float32)
    at_all = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_matrix((np.concatenate(values), at_all), shape=matrix.shape, dtype=np.float32)


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
