"""Backtest: train recommendations on loans before a date and evaluate them on later loans.

One date for all borrowers, and all titles are ranked: no information leaks from other borrowers' later loans
(Ji et al., A Critical Study on Data Leakage in Recommender System Offline Evaluation, TOIS 41(3), 2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import RecommendConfig
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.recommender.cooccurrence import borrowing_matrix
from classifier.pipeline.recommender.item_regression import Content
from classifier.pipeline.recommender.ranking_metrics import catalogue_usage, ranking_scores
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import Bool, Int64, LoanTable

ANY_TITLES = "any titles"
"""Target that includes titles borrowed before."""


class TooFewLoansError(PipelineError):
    """Too few loans to train on or to evaluate on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalHoldout:
    """Loans before a date (`until`, seconds since 1970-01-01 UTC), and titles borrowed from then on.

    Attributes
    ----------
    had, later : (n_borrowers, n_books)
        1 for titles borrowed before, after; `new` is only after.
    popularity : (n_books,)
        Earlier borrowers of each title.
    """

    until: int
    past: LoanTable
    had: sp.csr_matrix
    later: sp.csr_matrix
    new: sp.csr_matrix
    popularity: Int64

    @property
    def known_borrowers(self) -> Bool:
        """Return which borrowers have earlier loans, (n_borrowers,)."""
        return np.asarray(np.diff(self.had.indptr) > 0)

    @classmethod
    def split(cls, loans: LoanTable, *, book_ids: Sequence[str], share: float) -> Self:
        """Split loans so that a `share` is earlier, without synthetic borrowers, whose loans have no dates.

        Raises
        ------
        TooFewLoansError
            If all loans have the same time, or there are none.
        """
        identified = loans.is_identified
        times = np.sort(loans.borrowed_at[identified])
        until = int(times[min(len(times) - 1, int(len(times) * share))]) if len(times) else 0
        before, after = identified & (loans.borrowed_at < until), identified & (loans.borrowed_at >= until)
        if not before.any() or not after.any():
            raise TooFewLoansError("There are too few loans at different times for a backtest. Import more.")
        past = replace(
            loans,
            book=loans.book[before],
            borrower=loans.borrower[before],
            borrowed_at=loans.borrowed_at[before],
            times_borrowed=None,
            first_synthetic=None,
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
    """Evaluate recommendations, and popularity as a baseline, on the loans after the first `share`.

    Parameters and errors as for `Recommender.fit` and `TemporalHoldout.split`.

    Returns
    -------
    dict
        ``learned_from`` and ``looked_at`` (numbers of loans), ``until`` (seconds since 1970-01-01 UTC),
        ``scores``: by method (``ours``, ``popularity``) and target (``new titles``, those ``of known
        borrowers``, ``of new borrowers``, ``borrowed titles``, ``never borrowed titles``, and ``any titles``,
        borrowed before or not) the `ranking_scores`; ``shown``: by method the `catalogue_usage`.
    """
    holdout = TemporalHoldout.split(loans, book_ids=book_ids, share=share)
    recommender = Recommender(settings=settings)
    recommender.fit(
        holdout.past, book_ids=book_ids, content=content, authors=authors, titles=titles, progress=progress
    )
    has_history = holdout.known_borrowers
    popularity_list = popularity_lists(holdout.popularity, holdout.had, k=k)
    lists, any_lists = np.full_like(popularity_list, -1), np.full_like(popularity_list, -1)
    for target_lists, include_borrowed in ((lists, False), (any_lists, True)):
        recommended = recommender.lists(n=k, include_borrowed=include_borrowed, progress=progress)
        target_lists[: len(recommended)] = recommended
    lists[~has_history] = any_lists[~has_history] = popularity_list[~has_history]
    targets = held_out_targets(holdout)
    scores = {
        method: {name: ranking_scores(lists=target_lists, relevant=rows) for name, rows in targets.items()}
        for method, target_lists in (("ours", lists), ("popularity", popularity_list))
    }
    any_popular = popularity_lists(holdout.popularity, sp.csr_matrix(holdout.had.shape), k=k)
    scores["ours"][ANY_TITLES] = ranking_scores(lists=any_lists, relevant=holdout.later)
    scores["popularity"][ANY_TITLES] = ranking_scores(lists=any_popular, relevant=holdout.later)
    return {
        "learned_from": len(holdout.past),
        "looked_at": int(loans.is_identified.sum()) - len(holdout.past),
        "until": holdout.until,
        "scores": {
            method: {name: metrics.as_dict() for name, metrics in by_target.items()}
            for method, by_target in scores.items()
        },
        "shown": {
            method: catalogue_usage(lists=target_lists[has_history], popularity=holdout.popularity)
            for method, target_lists in (("ours", lists), ("popularity", popularity_list))
        },
    }


def held_out_targets(holdout: TemporalHoldout) -> dict[str, sp.csr_matrix]:
    """Return the target titles of lists of new titles, (n_borrowers, n_books) each."""
    known = holdout.known_borrowers.astype(np.float32)
    never_borrowed = (holdout.popularity == 0).astype(np.float32)
    return {
        "new titles": holdout.new,
        "of known borrowers": _stored(sp.diags_array(known) @ holdout.new),
        "of new borrowers": _stored(sp.diags_array(1 - known) @ holdout.new),
        "borrowed titles": _stored(holdout.new @ sp.diags_array(1 - never_borrowed)),
        "never borrowed titles": _stored(holdout.new @ sp.diags_array(never_borrowed)),
    }


def _had(loans: LoanTable, rows: Bool, book_ids: Sequence[str]) -> sp.csr_matrix:
    selected = replace(
        loans, book=loans.book[rows], borrower=loans.borrower[rows], borrowed_at=loans.borrowed_at[rows]
    )
    had = borrowing_matrix(selected.of_books(book_ids)).T.tocsr()
    had.resize(loans.n_borrowers, len(book_ids))
    return had


def popularity_lists(popularity: Int64, had: sp.csr_matrix, *, k: int) -> Int64:
    """Return the most popular titles for each borrower, without their own, (n_borrowers, k)."""
    order = np.argsort(-popularity, kind="stable")
    lists = np.full((had.shape[0], k), -1, np.int64)
    for row in range(had.shape[0]):
        own = had.indices[had.indptr[row] : had.indptr[row + 1]]
        first = order[: k + len(own)]
        best = first[~np.isin(first, own)][:k]
        lists[row, : len(best)] = best
    return lists


def _stored(matrix: sp.csr_matrix) -> sp.csr_matrix:
    stored = sp.csr_matrix(matrix)
    stored.eliminate_zeros()
    return stored
