"""Active learning: rank books for review.

A review corrects the book and, through the next model, similar books. Once one of ten similar books is
reviewed, the other nine add little, so each book is chosen greedily for the error not yet covered.

References
----------
Settles & Craven, An Analysis of Active Learning Strategies for Sequence Labeling Tasks, EMNLP 2008
(information density). Wei, Iyer & Bilmes, Submodularity in Data Subset Selection and Active Learning, ICML
2015 (greedy choice).
"""

from collections.abc import Callable

import numpy as np

from classifier.pipeline.records import Float32, Float64, Int64

POOL_SIZE = 4_000
"""Books with the largest expected own correction, from which books are chosen. Their similarities take 64
MB."""
MIN_SIMILARITY = 0.6
"""Cosine above which two books count as similar."""
DENSITY_POWER = 0.0
"""Power of the number of books a review covers. With 0.5, dense regions crowd out uncertain books: after as
many reviews, a smaller share of loans was of correctly filed books (tests/benchmarks/README.md)."""


def rank_for_review(
    error_probability: Float64,
    weight: Float64,
    encode: Callable[[Int64], Float32],
    *,
    limit: int | None = None,
    pool_size: int = POOL_SIZE,
    min_similarity: float = MIN_SIMILARITY,
    density_power: float = DENSITY_POWER,
) -> tuple[Int64, Float64]:
    """Return the rows in review order, largest expected gain first, and these gains in units of `weight`.

    Parameters
    ----------
    error_probability : (n_books,)
        Probability that the suggested category is wrong.
    weight : (n_books,)
        Value of a correct category, not negative; rises with loans and holds.
    encode
        Maps at most `pool_size` rows to vectors (n, d), similar for similar books; called once, to bound
        memory.
    limit
        Books chosen greedily, the others follow by their own gain; None: the whole pool.
    min_similarity
        Cosine above which two books count as similar, below 1.
    density_power
        Influence of the number of similar books: 0 none, 1 as much as the error probability.

    Raises
    ------
    ValueError
        If the arrays differ in length or a value is out of range.
    """
    if len(error_probability) != len(weight):
        raise ValueError(f"{len(error_probability)} error probabilities and {len(weight)} weights.")
    # NaN fails these comparisons.
    if (
        not ((error_probability >= 0) & (error_probability <= 1)).all()
        or not ((weight >= 0) & np.isfinite(weight)).all()
    ):
        raise ValueError("Error probabilities must be 0 to 1, weights finite and not negative.")
    own_gain = error_probability * weight  # (n_books,)
    by_own_gain = np.argsort(-own_gain, kind="stable")
    pool, rest = by_own_gain[:pool_size], by_own_gain[pool_size:]
    if not len(pool):
        return by_own_gain, own_gain
    order, gains = _greedy(
        own_gain[pool].astype(np.float32), _similarities(encode(pool), min_similarity), density_power, limit
    )
    rows = pool[order]
    gain = own_gain[rows]
    gain[: len(gains)] = gains
    return np.concatenate([rows, rest]).astype(np.int64), np.concatenate([gain, own_gain[rest]])


def _similarities(books: Float32, min_similarity: float) -> Float32:
    """Return how far a review of one book covers another, 0 to 1, (n_books, n_books)."""
    unit = books / np.maximum(np.linalg.norm(books, axis=1, keepdims=True), 1e-9)
    similarity = (unit @ unit.T).astype(np.float32)
    similarity -= min_similarity
    similarity /= 1 - min_similarity
    np.clip(similarity, 0, 1, out=similarity)
    np.fill_diagonal(similarity, 1)
    return np.asarray(similarity, np.float32)


def _greedy(
    own_gain: Float32, similarity: Float32, density_power: float, limit: int | None
) -> tuple[Int64, Float64]:
    """Return all books, the first `limit` chosen greedily, and the gains of those."""
    uncovered = np.ones(len(own_gain), np.float32)  # share of each book not yet covered by a review
    coverage = similarity.sum(axis=1)  # books that a review would cover
    remaining = np.ones(len(own_gain), bool)
    chosen: list[int] = []
    gains: list[float] = []
    for _ in range(len(own_gain) if limit is None else min(limit, len(own_gain))):
        # Rounding may make `coverage` slightly negative.
        gain = np.where(remaining, own_gain * uncovered * np.maximum(coverage, 0) ** density_power, -1)
        best = int(gain.argmax())
        chosen.append(best)
        gains.append(float(gain[best]))
        remaining[best] = False
        covered = similarity[best] * uncovered
        touched = np.flatnonzero(covered)
        uncovered = uncovered - covered
        coverage = coverage - covered[touched] @ similarity[touched]
    return np.concatenate([np.array(chosen, np.int64), np.flatnonzero(remaining)]), np.array(gains)
