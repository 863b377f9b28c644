"""Which books are held out, and which fold a book belongs to."""

import hashlib
from collections.abc import Sequence

import numpy as np

from classifier.pipeline.records import BookRecord, Bool, Int64

_MIN_AUTHORED = 50  # books with an author; what fewer tell of the others is chance
_MIN_AUTHORS = 10  # fewer cannot be kept apart in learning, in judging and in both at once


def held_out(keys: Sequence[str], *, share: float, at_most: int) -> Bool:
    """Choose the held-out books by a hash of their keys.

    The same book is held out at every training, whatever else is in the catalogue, so that two versions
    of the model can be compared on books that neither has seen.

    Parameters
    ----------
    keys : sequence of str
        Of the categorised books: their ids, or what books that stay together share.
    share : float
        Expected share of keys held out.
    at_most : int
        Books. Those with the smallest hashes, if the share gives more; a key is never split, so the books
        of one key may be more.

    Returns
    -------
    bool array (n_books,)
        At least one book is True and one False if there are two keys.
    """
    digests = [hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8] for key in keys]
    numbers = np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)
    hashes, key, books = np.unique(numbers, return_inverse=True, return_counts=True)
    wanted = max(int(np.sum(hashes < share * 2.0**64)), 1)
    allowed = max(int(np.sum(np.cumsum(books) <= at_most)), 1)
    return np.asarray(key < min(wanted, allowed, max(len(hashes) - 1, 0)))


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


def grouped_folds(groups: Int64, *, folds: int, rng: np.random.Generator) -> Int64:
    """Deal whole groups over the folds, the largest first, each to the fold with the fewest books.

    Parameters
    ----------
    groups : int array (n_books,)
        Group of each book.
    folds : int
        2 or more.
    rng : numpy Generator
        Decides between groups of one size.

    Returns
    -------
    int array (n_books,)
        Fold of each book, 0 to `folds` - 1.
    """
    _names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    books = np.zeros(folds, np.int64)
    fold = np.empty(len(sizes), np.int64)
    for g in order:
        fold[g] = books.argmin()
        books[fold[g]] += sizes[g]
    return fold[group]


def author_of(book: BookRecord) -> str:
    """Return what books of one author share; of a book without an author its id, so that it stays alone."""
    return " ".join(book.authors.lower().split()) or book.id


def author_groups(books: Sequence[BookRecord]) -> Int64 | None:
    """Say whether the books without a category are by other authors than those with one.

    Then what an author's name is worth has to be learned from authors who were not seen: otherwise the
    text is trusted too much, and the figures flatter. Decided by the share of books whose author has
    another categorised book: it is among the uncategorised less than half of what it is among the others.

    Parameters
    ----------
    books : sequence of BookRecord
        With a category and without.

    Returns
    -------
    int array (n_books,) or None
        The author of each book, a book without one alone; None if authors are shared as usual.
    """
    _names, author = np.unique([author_of(book) for book in books], return_inverse=True)
    named = np.array([bool(book.authors.strip()) for book in books], bool)
    known = np.array([book.category is not None for book in books], bool)
    inside, outside = named & known, named & ~known
    few = min(inside.sum(), outside.sum()) < _MIN_AUTHORED
    if few or len(np.unique(author[inside])) < _MIN_AUTHORS:
        return None
    categorised = np.bincount(author[known], minlength=len(_names))[author]  # books of the same author
    usual, found = np.mean(categorised[inside] > 1), np.mean(categorised[outside] > 0)
    return author if found < usual / 2 else None
