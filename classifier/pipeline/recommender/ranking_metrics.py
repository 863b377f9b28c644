"""How good lists of titles are: found or not, how early, and how much of the catalogue they show.

References
----------
Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 20(4), 2002 (NDCG).
Krichene and Rendle, On Sampled Metrics for Item Recommendation, KDD 2020 (all titles are ranked).
Castells, Hurley and Vargas, Novelty and Diversity in Recommender Systems, 2015 (novelty, Gini).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingScores:
    """What lists of `k` titles are worth, on average over borrowers.

    Attributes
    ----------
    borrowers : int
        Of whom there was something to find.
    ndcg, recall, hit_rate, mrr : float
        From 0 to 1. Recall is the share of the titles to be found that are in the list; the hit rate is the
        share of the borrowers whose list has one; MRR is the mean of one over the rank of the first.
    """

    borrowers: int
    ndcg: float
    recall: float
    hit_rate: float
    mrr: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def ranking_scores(*, lists: Int64, wanted: sp.csr_matrix) -> RankingScores:
    """Compare lists with what was borrowed; who borrowed nothing counts for nothing.

    Parameters
    ----------
    lists : int array (n_borrowers, k)
        Titles by number, the best first; -1 where a list is shorter.
    wanted : CSR matrix (n_borrowers, n_titles)
        Not zero: borrowed later.
    """
    asked = np.flatnonzero(np.diff(wanted.indptr))
    if not len(asked):
        return RankingScores(borrowers=0, ndcg=0.0, recall=0.0, hit_rate=0.0, mrr=0.0)
    found = found_in(lists=lists[asked], wanted=wanted[asked])
    number = np.diff(wanted.indptr)[asked]
    k = lists.shape[1]
    gain = 1 / np.log2(np.arange(k) + 2)  # (k,)
    best = np.cumsum(gain)[np.minimum(number, k) - 1]
    first = np.where(found.any(axis=1), found.argmax(axis=1) + 1, np.inf)
    return RankingScores(
        borrowers=len(asked),
        ndcg=float(np.mean(found @ gain / best)),
        recall=float(np.mean(found.sum(axis=1) / number)),
        hit_rate=float(np.mean(found.any(axis=1))),
        mrr=float(np.mean(1 / first)),
    )


def found_in(*, lists: Int64, wanted: sp.csr_matrix) -> Bool:
    """Return which places of the lists have a title that was wanted, (n_borrowers, k)."""
    n = wanted.shape[1]
    rows = np.repeat(np.arange(wanted.shape[0], dtype=np.int64), np.diff(wanted.indptr))
    pairs = rows * n + wanted.indices
    asked = np.arange(len(lists), dtype=np.int64)[:, None] * n + lists
    return np.isin(asked, pairs) & (lists >= 0)


def catalogue_shown(*, lists: Int64, popularity: Int64) -> dict[str, float]:
    """Say how the lists use the catalogue.

    Parameters
    ----------
    lists : int array (n_borrowers, k)
    popularity : int array (n_titles,)
        How often each was borrowed before.

    Returns
    -------
    dict
        ``coverage``, the share of the titles that are in some list; ``gini``, from 0 (each is in as many
        lists as any other) to 1 (one has them all); ``novelty``, the mean of the bits that a loan of such a
        title tells, had each loan been as likely as its title was before.
    """
    shown = lists[lists >= 0]
    times = np.bincount(shown, minlength=len(popularity))
    # One more for each: a title that was never borrowed is novel, not infinitely so.
    likely = (popularity + 1) / (popularity.sum() + len(popularity))
    return {
        "coverage": float(np.mean(times > 0)) if len(times) else 0.0,
        "gini": gini(times),
        "novelty": float(np.mean(-np.log2(likely[shown]))) if len(shown) else 0.0,
    }


def gini(times: Sequence[int] | Int64) -> float:
    """Return Gini's coefficient of counts: 0 where all are alike, near 1 where one has all."""
    ordered: Float64 = np.sort(np.asarray(times, np.float64))
    n, total = len(ordered), ordered.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))
