"""What recommendations would have been worth: learn from the loans before a day, look at those after it.

One day for all borrowers, and every title is ranked: what is borrowed later by others tells nothing.

References
----------
Ji et al., A Critical Study on Data Leakage in Recommender System Offline Evaluation, TOIS 41(3), 2023 (one
day for all).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import RecommendConfig
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.recommender.cooccurrence import readers
from classifier.pipeline.recommender.item_regression import Content
from classifier.pipeline.recommender.ranking_metrics import catalogue_shown, ranking_scores
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import Bool, Int64, LoanTable

AGAIN = "any titles"
"""Looked for where titles had before may come again."""


class TooFewLoansError(PipelineError):
    """There is nothing to learn from, or nothing to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBack:
    """Loans before a day, and what was borrowed from that day on.

    Attributes
    ----------
    until : int
        The day, in seconds since 1970-01-01 UTC.
    past : LoanTable
        The loans before.
    had : CSR matrix (n_borrowers, n_books)
        1 where a borrower had a title before.
    later : CSR matrix (n_borrowers, n_books)
        1 where a borrower has had a title since.
    new : CSR matrix (n_borrowers, n_books)
        `later` without what was had before.
    popularity : int array (n_books,)
        How many borrowers had each title before.
    """

    until: int
    past: LoanTable
    had: sp.csr_matrix
    later: sp.csr_matrix
    new: sp.csr_matrix
    popularity: Int64

    @property
    def readers(self) -> Bool:
        """Who had a title before, (n_borrowers,)."""
        return np.asarray(np.diff(self.had.indptr) > 0)

    @classmethod
    def of(cls, loans: LoanTable, *, book_ids: Sequence[str], share: float) -> Self:
        """Cut loans in two by time.

        Made-up borrowers (`LoanTable.known`) are left out: of the pairs that are left of who was forgotten
        nobody knows whether they were borrowed before or after.

        Raises
        ------
        TooFewLoansError
            If all loans are of one moment, or there are none.
        """
        known = loans.is_known
        times = np.sort(loans.borrowed_at[known])
        until = int(times[min(len(times) - 1, int(len(times) * share))]) if len(times) else 0
        before, after = known & (loans.borrowed_at < until), known & (loans.borrowed_at >= until)
        if not before.any() or not after.any():
            raise TooFewLoansError("There are too few loans at different times to look back at: import more.")
        past = replace(
            loans,
            book=loans.book[before],
            borrower=loans.borrower[before],
            borrowed_at=loans.borrowed_at[before],
            times_borrowed=None,
            known=None,
        )
        had, later = (_had(loans, rows, book_ids) for rows in (before, after))
        return cls(
            until=until,
            past=past,
            had=had,
            later=later,
            new=_stored(later - later.multiply(had)),
            popularity=np.asarray(had.sum(axis=0), np.int64).ravel(),
        )


def backtest(
    loans: LoanTable,
    *,
    book_ids: Sequence[str],
    content: Mapping[str, Content],
    authors: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    settings: RecommendConfig,
    share: float = 0.8,
    k: int = 10,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure recommendations, and popularity beside them, on the last loans of a library.

    Parameters
    ----------
    loans : LoanTable
    book_ids, content, authors, titles
        As `Recommender.fit` takes them.
    settings : RecommendConfig
    share : float
        Of the loans, the first by time, that is learned from.
    k : int
        Titles a list.
    progress : callable

    Returns
    -------
    dict
        ``learned_from`` and ``looked_at`` (loans), ``until`` (seconds since 1970-01-01 UTC), ``scores``: by
        method (``ours``, ``popularity``) and by what is looked for (``new titles``, those ``of known
        borrowers``, ``of new borrowers``, ``never borrowed titles``, and ``any titles``, those had before
        among them) what `ranking_scores` gives; ``shown``: by method what `catalogue_shown` gives.

    Raises
    ------
    TooFewLoansError
        If all loans are of one moment, or there are none.
    """
    back = LookBack.of(loans, book_ids=book_ids, share=share)
    recommender = Recommender(settings=settings)
    recommender.fit(
        back.past, book_ids=book_ids, content=content, authors=authors, titles=titles, progress=progress
    )
    has_read = back.readers
    most = most_popular(back.popularity, back.had, k=k)
    lists, again = np.full_like(most, -1), np.full_like(most, -1)
    for found, has_had in ((lists, False), (again, True)):
        of_readers = recommender.lists(n=k, include_borrowed=has_had, progress=progress)
        found[: len(of_readers)] = of_readers
    lists[~has_read] = again[~has_read] = most[~has_read]
    wanted = looked_for(back)
    scores = {
        method: {name: ranking_scores(lists=found, wanted=rows) for name, rows in wanted.items()}
        for method, found in (("ours", lists), ("popularity", most))
    }
    anything = most_popular(back.popularity, sp.csr_matrix(back.had.shape), k=k)
    scores["ours"][AGAIN] = ranking_scores(lists=again, wanted=back.later)
    scores["popularity"][AGAIN] = ranking_scores(lists=anything, wanted=back.later)
    return {
        "learned_from": len(back.past),
        "looked_at": int(loans.is_known.sum()) - len(back.past),
        "until": back.until,
        "scores": {
            method: {name: found.as_dict() for name, found in of.items()} for method, of in scores.items()
        },
        "shown": {
            method: catalogue_shown(lists=found[has_read], popularity=back.popularity)
            for method, found in (("ours", lists), ("popularity", most))
        },
    }


def looked_for(back: LookBack) -> dict[str, sp.csr_matrix]:
    """Return what is looked for in lists of new titles, (n_borrowers, n_books) each."""
    readers = back.readers.astype(np.float32)
    cold = (back.popularity == 0).astype(np.float32)
    return {
        "new titles": back.new,
        "of known borrowers": _stored(sp.diags_array(readers) @ back.new),
        "of new borrowers": _stored(sp.diags_array(1 - readers) @ back.new),
        "borrowed titles": _stored(back.new @ sp.diags_array(1 - cold)),
        "never borrowed titles": _stored(back.new @ sp.diags_array(cold)),
    }


def _had(loans: LoanTable, rows: Bool, book_ids: Sequence[str]) -> sp.csr_matrix:
    """Return who had what, (n_borrowers, n_books), once however often."""
    some = replace(
        loans, book=loans.book[rows], borrower=loans.borrower[rows], borrowed_at=loans.borrowed_at[rows]
    )
    had = readers(some.of_books(book_ids)).T.tocsr()
    had.resize(loans.n_borrowers, len(book_ids))
    return had


def most_popular(popularity: Int64, had: sp.csr_matrix, *, k: int) -> Int64:
    """Return for each borrower the titles that most had, without their own, (n_borrowers, k)."""
    order = np.argsort(-popularity, kind="stable")
    lists = np.full((had.shape[0], k), -1, np.int64)
    for row in range(had.shape[0]):
        own = had.indices[had.indptr[row] : had.indptr[row + 1]]
        first = order[: k + len(own)]
        best = first[~np.isin(first, own)][:k]
        lists[row, : len(best)] = best
    return lists


def _stored(matrix: sp.csr_matrix) -> sp.csr_matrix:
    found = sp.csr_matrix(matrix)
    found.eliminate_zeros()
    return found
