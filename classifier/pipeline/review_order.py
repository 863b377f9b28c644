"""Which books a librarian should look at first.

A review is worth what it mends: the book's own category, if it is wrong, for everybody who looks for it; and
those of books like it, for the next model learns from the answer. The first book of ten of a kind mends much
of what the other nine would, so books are chosen one after the other, each for what is still open.

References
----------
Settles & Craven, An Analysis of Active Learning Strategies for Sequence Labeling Tasks, EMNLP 2008
(information density: uncertainty times likeness to other books).
Wei, Iyer & Bilmes, Submodularity in Data Subset Selection and Active Learning, ICML 2015 (greedy choice of
what is not covered yet).
"""

import numpy as np

from classifier.pipeline.records import Float32, Float64, Int64

_POOL = 4_000
"""Books chosen from: those with most to mend of their own. Their likeness to each other takes 64 MB."""
_ALIKE = 0.6
"""Cosine from which on two books begin to be alike."""


def review_order(wrong: Float64, use: Float64, books: Float32, *, n: int, pool: int = _POOL) -> Int64:
    """Return which books to review, the one whose review is expected to bring most first.

    Parameters
    ----------
    wrong : float array (n_books,)
        Chance that the category suggested is wrong, 0 to 1.
    use : float array (n_books,)
        What a right category is worth, not negative: a weight that rises with loans and holds.
    books : float array (n_books, d)
        The books as the classifier sees them: near each other where one answer settles both.
    n : int
        Books wanted; no more than `pool` are in order of what they bring together, the rest follow by what
        each brings by itself.
    pool : int

    Returns
    -------
    int array (min(n, n_books),)

    Raises
    ------
    ValueError
        If the arrays are of different books, or a number is out of bounds.
    """
    if not len(wrong) == len(use) == len(books):
        raise ValueError(f"{len(wrong)} chances, {len(use)} weights and {len(books)} books.")
    if len(wrong) and not (wrong.min() >= 0 and wrong.max() <= 1 and use.min() >= 0):
        raise ValueError("Chances are from 0 to 1, and weights not negative.")
    own = wrong * use  # (n_books,): expected to be mended of the book itself
    by_own = np.argsort(-own, kind="stable")
    near = by_own[:pool]
    length = np.linalg.norm(books[near], axis=1, keepdims=True)
    unit = (books[near] / np.maximum(length, 1e-9)).astype(np.float32)
    alike = np.clip((unit @ unit.T - _ALIKE) / (1 - _ALIKE), 0, 1)  # (pool, pool)
    np.fill_diagonal(alike, 1)
    open_ = own[near].astype(np.float32)  # what is still to be mended
    gain = alike @ open_
    order = []
    for _ in range(min(n, len(near))):
        best = int(gain.argmax())
        order.append(near[best])
        settled = alike[best] * open_
        open_ = open_ - settled
        gain = gain - alike @ settled
        gain[best] = -np.inf
    rest = by_own[len(near) :]
    return np.concatenate([np.array(order, np.int64), rest])[:n].astype(np.int64)
