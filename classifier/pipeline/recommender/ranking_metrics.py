"""Metrics of ranked lists: relevance, and use of the catalogue.

References
----------
Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 20(4), 2002 (NDCG). Krichene
and Rendle, On Sampled Metrics for Item Recommendation, KDD 2020 (rank all titles). Castells, Hurley and
Vargas, Novelty and Diversity in Recommender Systems, 2015 (novelty, Gini).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingScores:
    """Mean metrics of lists of `k` titles, for `borrowers` with at least one relevant title, 0 to 1.

    Attributes
    ----------
    hit_rate
        Share of lists with a relevant title.
    mrr
        Mean of one over the rank of the first.
    """

    borrowers: int
    ndcg: float
    recall: float
    hit_rate: float
    mrr: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def ranking_scores(*, lists: Int64, relevant: sp.csr_matrix) -> RankingScores:
    """Compare lists, best first and padded with -1, with relevant titles; skip borrowers without any."""
    borrowers = np.flatnonzero(np.diff(relevant.indptr))
    if not len(borrowers):
        return RankingScores(borrowers=0, ndcg=0.0, recall=0.0, hit_rate=0.0, mrr=0.0)
    is_hit = hits(lists=lists[borrowers], relevant=relevant[borrowers])
    n_relevant = np.diff(relevant.indptr)[borrowers]
    k = lists.shape[1]
    gain = 1 / np.log2(np.arange(k) + 2)  # (k,)
    ideal = np.cumsum(gain)[np.minimum(n_relevant, k) - 1]
    first = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1, np.inf)
    return RankingScores(
        borrowers=len(borrowers),
        ndcg=float(np.mean(is_hit @ gain / ideal)),
        recall=float(np.mean(is_hit.sum(axis=1) / n_relevant)),
        hit_rate=float(np.mean(is_hit.any(axis=1))),
        mrr=float(np.mean(1 / first)),
    )


def hits(*, lists: Int64, relevant: sp.csr_matrix) -> Bool:
    """Return which entries of the lists are relevant, (n_borrowers, k)."""
    n = relevant.shape[1]
    rows = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    pairs = rows * n + relevant.indices
    listed = np.arange(len(lists), dtype=np.int64)[:, None] * n + lists
    return np.isin(listed, pairs) & (lists >= 0)


def catalogue_usage(*, lists: Int64, popularity: Int64) -> dict[str, float]:
    """Return how lists use the catalogue.

    Returns
    -------
    dict
        ``coverage``: share of titles in any list; ``gini``: 0 (all equally often) to 1 (one title only);
        ``novelty``: mean self-information of the listed titles in bits, given their popularity.
    """
    listed = lists[lists >= 0]
    times = np.bincount(listed, minlength=len(popularity))
    # Add-one smoothing keeps the novelty of never-borrowed titles finite.
    probability = (popularity + 1) / (popularity.sum() + len(popularity))
    return {
        "coverage": float(np.mean(times > 0)) if len(times) else 0.0,
        "gini": gini(times),
        "novelty": float(np.mean(-np.log2(probability[listed]))) if len(listed) else 0.0,
    }


def gini(times: Sequence[int] | Int64) -> float:
    """Return Gini's coefficient of counts: 0 for equal counts, near 1 if one has all."""
    ordered: Float64 = np.sort(np.asarray(times, np.float64))
    n, total = len(ordered), ordered.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))
