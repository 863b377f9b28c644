"""What recommendations would have been worth: learn from the loans before a day, look at those after it.

One day for all borrowers, and every title is ranked: what is borrowed later by others tells nothing.

References
----------
Ji et al., A Critical Study on Data Leakage in Recommender System Offline Evaluation, TOIS 41(3), 2023 (one
day for all).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import RecommendConfig
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features import Progress, no_progress
from classifier.pipeline.ranking import catalogue_shown, ranking_scores
from classifier.pipeline.recommend import Recommender
from classifier.pipeline.records import Bool, Int64, LoanTable


class TooFewLoansError(PipelineError):
    """There is nothing to learn from, or nothing to look at."""


def backtest(
    loans: LoanTable,
    *,
    book_ids: Sequence[str],
    text: sp.csr_matrix | None,
    authors: Sequence[str] | None,
    settings: RecommendConfig,
    share: float = 0.8,
    k: int = 10,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure recommendations, and popularity beside them, on the last loans of a library.

    Made-up borrowers (`LoanTable.known`) are left out: of the pairs that are left of who was forgotten nobody
    knows whether they were borrowed before or after.

    Parameters
    ----------
    loans : LoanTable
    book_ids, text, authors
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
    known = loans.borrower < (loans.n_borrowers if loans.known is None else loans.known)
    times = np.sort(loans.borrowed_at[known])
    until = int(times[min(len(times) - 1, int(len(times) * share))]) if len(times) else 0
    before, after = known & (loans.borrowed_at < until), known & (loans.borrowed_at >= until)
    if not before.any() or not after.any():
        raise TooFewLoansError("There are too few loans at different times to look back at: import more.")
    ids = list(book_ids)
    past, later = _part(loans, before), _had(loans, after, ids)
    recommender = Recommender(settings=settings)
    recommender.fit(past, book_ids=ids, text=text, authors=authors, progress=progress)
    had = _had(loans, before, ids)
    popularity = np.asarray(had.sum(axis=0), np.int64).ravel()  # borrowers of each title
    new = _stored(later - later.multiply(had))
    readers = np.diff(had.indptr) > 0
    lists = _lists(recommender, later.shape[0], until=until, k=k, again=False, progress=progress)
    again = _lists(recommender, later.shape[0], until=until, k=k, again=True, progress=progress)
    most = _popular(popularity, had, k=k)
    lists[~readers] = again[~readers] = most[~readers]
    cold = _columns(new, popularity == 0)
    wanted = {
        "new titles": new,
        "of known borrowers": _rows(new, readers),
        "of new borrowers": _rows(new, ~readers),
        "never borrowed titles": cold,
    }
    scores = {
        "ours": {name: ranking_scores(lists=lists, wanted=rows) for name, rows in wanted.items()},
        "popularity": {name: ranking_scores(lists=most, wanted=rows) for name, rows in wanted.items()},
    }
    anything = _popular(popularity, sp.csr_matrix(had.shape), k=k)
    scores["ours"]["any titles"] = ranking_scores(lists=again, wanted=later)
    scores["popularity"]["any titles"] = ranking_scores(lists=anything, wanted=later)
    return {
        "learned_from": int(before.sum()),
        "looked_at": int(after.sum()),
        "until": until,
        "scores": {
            method: {name: found.as_dict() for name, found in of.items()} for method, of in scores.items()
        },
        "shown": {
            "ours": catalogue_shown(lists=lists[readers], popularity=popularity),
            "popularity": catalogue_shown(lists=most[readers], popularity=popularity),
        },
    }


def _part(loans: LoanTable, rows: Bool) -> LoanTable:
    return replace(
        loans,
        book=loans.book[rows],
        borrower=loans.borrower[rows],
        borrowed_at=loans.borrowed_at[rows],
        times_borrowed=None,
        known=None,
    )


def _had(loans: LoanTable, rows: Bool, book_ids: list[str]) -> sp.csr_matrix:
    """Return who had what, (n_borrowers, n_books), once however often."""
    position = {book: i for i, book in enumerate(book_ids)}
    column = np.array([position.get(book, -1) for book in loans.book_ids], np.int64)[loans.book[rows]]
    kept = column >= 0
    shape = (loans.n_borrowers, len(book_ids))
    ones = np.ones(int(kept.sum()), np.float32)
    had = sp.csr_matrix((ones, (loans.borrower[rows][kept], column[kept])), shape=shape)
    had.data[:] = 1
    return had


def _lists(recommender: Recommender, n: int, *, until: int, k: int, again: bool, progress: Progress) -> Int64:
    """Return the lists of all borrowers, (n, k); -1 where a list is shorter."""
    position = {book: i for i, book in enumerate(recommender.book_ids)}
    lists = np.full((n, k), -1, np.int64)
    for item in recommender.recommend(n=k, now=until, include_borrowed=again, progress=progress):
        lists[item.borrower, item.rank - 1] = position[item.book]
    return lists


def _popular(popularity: Int64, had: sp.csr_matrix, *, k: int) -> Int64:
    """Return for each borrower the titles that most had, without their own, (n_borrowers, k)."""
    order = np.argsort(-popularity, kind="stable")
    lists = np.full((had.shape[0], k), -1, np.int64)
    for row in range(had.shape[0]):
        own = had.indices[had.indptr[row] : had.indptr[row + 1]]
        first = order[: k + len(own)]
        best = first[~np.isin(first, own)][:k]
        lists[row, : len(best)] = best
    return lists


def _rows(matrix: sp.csr_matrix, kept: Bool) -> sp.csr_matrix:
    return _stored(sp.diags_array(kept.astype(np.float32)) @ matrix)


def _columns(matrix: sp.csr_matrix, kept: Bool) -> sp.csr_matrix:
    return _stored(matrix @ sp.diags_array(kept.astype(np.float32)))


def _stored(matrix: sp.csr_matrix) -> sp.csr_matrix:
    found = sp.csr_matrix(matrix)
    found.eliminate_zeros()
    return found
