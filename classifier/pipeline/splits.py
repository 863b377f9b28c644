"""Which books are held out, and which fold a book belongs to."""

import hashlib
from collections.abc import Sequence

import numpy as np

from classifier.pipeline.records import Bool, Int64


def held_out(ids: Sequence[str], *, share: float, at_most: int) -> Bool:
    """Choose the held-out books by a hash of their ids.

    The same book is held out at every training, whatever else is in the catalogue, so that two versions
    of the model can be compared on books that neither has seen.

    Parameters
    ----------
    ids : sequence of str
        Of the categorised books.
    share : float
        Expected share of books held out.
    at_most : int
        The books with the smallest hashes, if the share gives more.

    Returns
    -------
    bool array (n_books,)
        At least one book is True and one False if there are two.
    """
    hashes = np.array(
        [int.from_bytes(hashlib.sha256(i.encode()).digest()[:8], "big") for i in ids], np.uint64
    )
    wanted = int(np.sum(hashes < share * 2.0**64))
    wanted = min(max(wanted, 1), at_most, max(len(ids) - 1, 0))
    chosen = np.zeros(len(ids), bool)
    chosen[np.argsort(hashes, kind="stable")[:wanted]] = True
    return chosen


def stratified_folds(y: Int64, *, folds: int, rng: np.random.Generator) -> Int64:
    """Deal the books of each class over the folds as evenly as can be.

    Parameters
    ----------
    y : int array (n_books,)
        Class of each book.
    folds : int
        2 or more.
    rng : numpy Generator
        Decides who goes where.

    Returns
    -------
    int array (n_books,)
        Fold of each book, 0 to `folds` - 1; sizes differ by one at most, as do those within a class.
    """
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % folds
    return fold
