"""Holdout split and cross-validation folds."""

import hashlib
from collections.abc import Sequence

import numpy as np

from classifier.pipeline.records import BookRecord, Bool, Int64

_MIN_AUTHORED = 50  # books with an author; fewer allow no conclusion
_MIN_AUTHORS = 10  # fewer cannot be separated by fold and by holdout at once


def select_held_out(keys: Sequence[str], *, share: float, max_books: int) -> Bool:
    """Choose the held-out books by a hash of their keys; of two keys or more, at least one of each kind.

    The same book is held out in every training, whatever else is in the catalogue, so two versions can be
    compared on books that neither has seen.

    Parameters
    ----------
    keys
        Ids of the categorised books, or a key shared by books that stay together.
    max_books
        Keeps the smallest hashes. A key is never split, so one key may exceed it.
    """
    digests = [hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8] for key in keys]
    numbers = np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)
    hashes, key, books = np.unique(numbers, return_inverse=True, return_counts=True)
    n_wanted = max(int(np.sum(hashes < share * 2.0**64)), 1)
    n_allowed = max(int(np.sum(np.cumsum(books) <= max_books)), 1)
    return np.asarray(key < min(n_wanted, n_allowed, max(len(hashes) - 1, 0)))


def stratified_folds(y: Int64, *, folds: int, rng: np.random.Generator) -> Int64:
    """Return the fold of each book; sizes differ by one at most, overall and within a class."""
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % folds
    return fold


def grouped_folds(groups: Int64, *, folds: int, rng: np.random.Generator) -> Int64:
    """Return the fold of each book; whole groups, largest first, go to the fold with the fewest books."""
    _names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    books = np.zeros(folds, np.int64)
    fold = np.empty(len(sizes), np.int64)
    for g in order:
        fold[g] = books.argmin()
        books[fold[g]] += sizes[g]
    return fold[group]


def author_key(book: BookRecord) -> str:
    """Return the normalised authors of a book, or its id if it has none."""
    return " ".join(book.authors.lower().split()) or book.id


def author_groups(books: Sequence[BookRecord]) -> Int64 | None:
    """Return the author of each book if the uncategorised books are by other authors, else None.

    Then names must be learned from unseen authors: otherwise the model trusts the text too much and the
    metrics are too good. Criterion: the share of books whose author has another categorised book is less than
    half as high among the uncategorised books.
    """
    _names, author = np.unique([author_key(book) for book in books], return_inverse=True)
    named = np.array([bool(book.authors.strip()) for book in books], bool)
    known = np.array([book.category is not None for book in books], bool)
    labelled, unlabelled = named & known, named & ~known
    few = min(labelled.sum(), unlabelled.sum()) < _MIN_AUTHORED
    if few or len(np.unique(author[labelled])) < _MIN_AUTHORS:
        return None
    categorised = np.bincount(author[known], minlength=len(_names))[author]  # books of the same author
    usual, shared = np.mean(categorised[labelled] > 1), np.mean(categorised[unlabelled] > 0)
    return author if shared < usual / 2 else None
