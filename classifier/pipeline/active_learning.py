"""Which books a librarian should look at first.

A review is worth what it mends: the book's own category, if it is wrong, for everybody who looks for it; and
those of books like it, for the next model learns from the answer. The first book of ten of a kind settles
much of what the other nine would, so books are chosen one after the other, each for what is still open.

References
----------
Settles & Craven, An Analysis of Active Learning Strategies for Sequence Labeling Tasks, EMNLP 2008
(information density: uncertainty times likeness to other books).
Wei, Iyer & Bilmes, Submodularity in Data Subset Selection and Active Learning, ICML 2015 (greedy choice of
what is not covered yet).
"""

from collections.abc import Callable

import numpy as np

from classifier.pipeline.records import Float32, Float64, Int64

POOL = 4_000
"""Books chosen from: those with most to mend of their own. Their likeness to each other takes 64 MB."""
ALIKE = 0.6
"""Cosine from which on two books begin to be alike."""
REACH = 0.0
"""Power of how many books an answer settles. With 0.5, dense regions crowd out what is unsure: after as many
reviews, less of what is lent was filed rightly (tests/benchmarks/README.md)."""


def review_order(
    wrong: Float64,
    use: Float64,
    see: Callable[[Int64], Float32],
    *,
    n: int | None = None,
    pool: int = POOL,
    alike: float = ALIKE,
    reach: float = REACH,
) -> tuple[Int64, Float64]:
    """Return in which order to review books, and what each review is expected to bring.

    Parameters
    ----------
    wrong : float array (n_books,)
        Chance that the category suggested is wrong, 0 to 1.
    use : float array (n_books,)
        What a right category is worth, not negative: a weight that rises with loans and holds.
    see : callable
        Takes rows, at most `pool` of them, and returns these books as the classifier sees them, (n, d): near
        each other where one answer settles both. Asked once, so that memory is bounded on any catalogue.
    n : int, optional
        Books chosen for what they bring together, all of the pool unless told otherwise. The rest follow by
        what each brings by itself.
    pool : int
    alike : float
        Cosine from which on two books begin to be alike, below 1.
    reach : float
        How much it counts how many books an answer settles: 0 is not at all, 1 as much as the chance.

    Returns
    -------
    int array (n_books,)
        The rows, the one whose review is expected to bring most first.
    float array (n_books,)
        What each of them brings when its turn comes, in that order: weight that is expected to be mended.

    Raises
    ------
    ValueError
        If the arrays are of different books, or a number is out of bounds.
    """
    if len(wrong) != len(use):
        raise ValueError(f"{len(wrong)} chances and {len(use)} weights.")
    # Written so that no NaN passes.
    if not ((wrong >= 0) & (wrong <= 1)).all() or not ((use >= 0) & np.isfinite(use)).all():
        raise ValueError("Chances are from 0 to 1, and weights not negative.")
    own = wrong * use  # (n_books,): expected to be mended of the book itself
    by_own = np.argsort(-own, kind="stable")
    near, rest = by_own[:pool], by_own[pool:]
    if not len(near):
        return by_own, own
    order, gains = _greedy(own[near].astype(np.float32), _likeness(see(near), alike), reach, n)
    rows = near[order]
    gain = own[rows]
    gain[: len(gains)] = gains
    return np.concatenate([rows, rest]).astype(np.int64), np.concatenate([gain, own[rest]])


def _likeness(books: Float32, alike: float) -> Float32:
    """Return how far an answer about one book settles another, 0 to 1, (n_books, n_books)."""
    unit = books / np.maximum(np.linalg.norm(books, axis=1, keepdims=True), 1e-9)
    found = (unit @ unit.T).astype(np.float32)
    found -= alike
    found /= 1 - alike
    np.clip(found, 0, 1, out=found)
    np.fill_diagonal(found, 1)
    return np.asarray(found, np.float32)


def _greedy(own: Float32, alike: Float32, reach: float, n: int | None) -> tuple[Int64, Float64]:
    """Return all books, the first `n` chosen one after the other, and what each of those brings."""
    open_ = np.ones(len(own), np.float32)  # share of each book that no answer has settled yet
    settles = alike.sum(axis=1)  # books that an answer would settle
    left = np.ones(len(own), bool)
    chosen: list[int] = []
    gains: list[float] = []
    for _ in range(len(own) if n is None else min(n, len(own))):
        # Rounding may leave less than nothing to settle.
        gain = np.where(left, own * open_ * np.maximum(settles, 0) ** reach, -1)
        best = int(gain.argmax())
        chosen.append(best)
        gains.append(float(gain[best]))
        left[best] = False
        settled = alike[best] * open_
        touched = np.flatnonzero(settled)
        open_ = open_ - settled
        settles = settles - settled[touched] @ alike[touched]
    return np.concatenate([np.array(chosen, np.int64), np.flatnonzero(left)]), np.array(gains)
