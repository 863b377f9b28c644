"""Pairs of titles that the same people had, kept as counts when these people are forgotten.

A borrower has a pair while both titles are among the borrower's loans that count. When forgetting a loan ends
that, and at least ``CO_BORROWING_MIN`` different borrowers had the pair until then (those known, and those
kept as a count before), the count goes up by one; else the pair is lost.

So that nobody is counted twice for a pair: once the first loan of a borrower is forgotten, only those count
that were known then (``Loan.in_pairs``). They can only become fewer, so a pair ends only once; that the same
titles were had before, and forgotten, nobody could know. The price is the pairs of the loans made after that.

The work is bounded: of each borrower the `TITLES_A_BORROWER` titles borrowed last count. One who has had more
is a school or a book club, and says little of taste.

It loads numpy and scipy: import it where it is needed, as few requests forget.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from django.conf import settings
from django.db.models import Q, QuerySet

from library.circulation.models import CoBorrowing, Loan
from library.db import KEYS_A_QUERY, add_counts, batches

TITLES_A_BORROWER = 300

#: Loans that count for pairs.
COUNTS = Q(borrower__isnull=False, borrower__left_out=False) & (
    Q(borrower__has_forgotten=False) | Q(in_pairs=True)
)

Codes = npt.NDArray[np.int64]
"""Pairs of books, each as one number: the lower primary key, shifted, and the higher."""

_SHIFT = 32
_BLOCK = 1000  # titles whose companions are counted at once: some hundred MB in a large library
_FEW = KEYS_A_QUERY // 2  # titles to name in a statement, twice


@dataclass(frozen=True, slots=True)
class PairReport:
    """How many pairs ended, of how many borrowers each: ``kept`` in the counts, or ``lost``."""

    kept: int = 0
    lost: int = 0

    def __add__(self, other: "PairReport") -> "PairReport":
        return PairReport(self.kept + other.kept, self.lost + other.lost)


def pairs_had(
    *, borrower: Codes, title: Codes, asked: npt.NDArray[np.bool_]
) -> Iterator[tuple[Codes, Codes, Codes]]:
    """Yield pairs of titles and how many borrowers have each, in blocks.

    Parameters
    ----------
    borrower, title : int array (n,)
        Who has what, from 0 and each once.
    asked : bool array (n_titles,)
        Of which titles a pair has one at least.

    Yields
    ------
    first, second, borrowers : int array (n_pairs,)
        The first title is lower than the second; no pair comes twice.
    """
    shape = (int(borrower.max(initial=-1)) + 1, len(asked))
    had = sp.csr_matrix((np.ones(len(title), np.int32), (borrower, title)), shape=shape)
    by_title = had.T.tocsr()
    wanted = np.flatnonzero(asked)
    for start in range(0, len(wanted), _BLOCK):
        rows = wanted[start : start + _BLOCK]
        together = (by_title[rows] @ had).tocoo()
        one, other = rows[together.row], together.col.astype(np.int64)
        # Of two titles that are both asked for, the pair stands in both rows.
        once = (one < other) | ((one > other) & ~asked[other])
        one, other = one[once], other[once]
        yield np.minimum(one, other), np.maximum(one, other), together.data[once].astype(np.int64)


def titles_by_borrower(loans: QuerySet[Loan]) -> Iterator[tuple[int, list[int]]]:
    """Yield each borrower's titles, the last `TITLES_A_BORROWER` of them, as primary keys."""
    rows = loans.order_by("borrower", "-borrowed_at", "-pk").values_list("borrower", "copy__book")
    person, had = 0, dict[int, None]()
    for borrower, book in rows.iterator(chunk_size=10_000):
        if borrower != person:
            if had:
                yield person, list(had)
            person, had = borrower, {}
        if len(had) < TITLES_A_BORROWER:
            had[book] = None
    if had:
        yield person, list(had)


def pairs_often_had(*, titles: Collection[int]) -> Codes:
    """Return the pairs that enough different borrowers had, known ones and forgotten ones together.

    Parameters
    ----------
    titles : collection of int
        Books of which a pair has one at least.

    Returns
    -------
    int array
        In order. Enough is the setting ``CO_BORROWING_MIN``.
    """
    kept, number = _kept(titles)
    often = [np.empty(0, np.int64)]
    for pairs, known in _known_counts(titles):
        often.append(pairs[known + _looked_up(pairs, kept, number) >= settings.CO_BORROWING_MIN])
    return np.sort(np.concatenate(often))


def ended_pairs(*, borrowers: Collection[int], forgotten: Collection[int]) -> Codes:
    """Return the pairs that borrowers will no longer have without some loans, each as often as borrowers.

    Parameters
    ----------
    borrowers : collection of int
        Primary keys; locked.
    forgotten : collection of int
        Primary keys of their loans that are about to be forgotten.
    """
    loans = Loan.objects.filter(COUNTS, borrower__in=borrowers)
    gone = set(forgotten)
    left: set[tuple[int, int]] = set()
    for pk, borrower, book in loans.order_by().values_list("pk", "borrower", "copy__book"):
        if pk not in gone:
            left.add((borrower, book))
    ended = [np.empty(0, np.int64)]
    for borrower, titles in titles_by_borrower(loans):
        had = np.array(titles, np.int64)
        lost = np.array([book for book in titles if (borrower, book) not in left], np.int64)
        low, high = np.minimum.outer(lost, had).ravel(), np.maximum.outer(lost, had).ravel()
        ended.append(np.unique((low << _SHIFT | high)[low < high]))
    return np.concatenate(ended)


def count_pairs(*, ended: Codes, often: Codes) -> PairReport:
    """Add ended pairs to the counts if enough borrowers had them, within the caller's transaction.

    Parameters
    ----------
    ended : int array
        See `ended_pairs`.
    often : int array
        See `pairs_often_had`, as things stood before.
    """
    pairs, number = np.unique(ended, return_counts=True)
    enough = np.isin(pairs, often, assume_unique=True)
    # In order, so that two who count the same pairs wait for each other instead of blocking each other.
    rows = zip(*_books(pairs[enough]), number[enough].tolist(), strict=True)
    add_counts(model=CoBorrowing, keys=["book_id", "other_id"], rows=rows)
    return PairReport(kept=int(number[enough].sum()), lost=int(number[~enough].sum()))


def drop_rare_pairs() -> int:
    """Delete the counts of pairs that too few have had, known and forgotten ones together.

    It happens when, after a pair was counted, loans are deleted or handed to another borrower, or a borrower
    is left out of statistics.

    Returns
    -------
    int
        How many were deleted.
    """
    rare = CoBorrowing.objects.filter(count__lt=settings.CO_BORROWING_MIN)
    titles = set(rare.values_list("book", flat=True))
    often = pairs_often_had(titles=titles)
    gone = [
        pk
        for pk, book, other in rare.order_by("pk").values_list("pk", "book", "other")
        if not _looked_up(np.array([book << _SHIFT | other]), often, np.ones(len(often), np.int64))[0]
    ]
    for some in batches(gone, KEYS_A_QUERY):
        CoBorrowing.objects.filter(pk__in=some).delete()
    return len(gone)


def _known_counts(titles: Collection[int]) -> Iterator[tuple[Codes, Codes]]:
    """Yield pairs with one of the titles at least, and how many known borrowers have each."""
    loans = Loan.objects.filter(COUNTS)
    if len(titles) <= _FEW:  # else most borrowers have one of them
        loans = loans.filter(borrower__in=Loan.objects.filter(copy__book__in=titles).values("borrower"))
    people, books = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, (_borrower, had) in enumerate(titles_by_borrower(loans)):
        people.append(np.full(len(had), number))
        books.append(np.array(had, np.int64))
    book, title = np.unique(np.concatenate(books), return_inverse=True)
    asked = np.isin(book, np.fromiter(titles, np.int64, len(titles)))
    for first, second, known in pairs_had(borrower=np.concatenate(people), title=title, asked=asked):
        yield book[first] << _SHIFT | book[second], known


def _kept(titles: Collection[int]) -> tuple[Codes, Codes]:
    """Return the pairs that have a count, in order, and their counts."""
    rows = CoBorrowing.objects.order_by("book", "other")
    if len(titles) <= _FEW:
        rows = rows.filter(Q(book__in=titles) | Q(other__in=titles))
    numbers = (value for row in rows.values_list("book", "other", "count").iterator() for value in row)
    found = np.fromiter(numbers, np.int64).reshape(-1, 3)
    return found[:, 0] << _SHIFT | found[:, 1], found[:, 2]


def _looked_up(pairs: Codes, known: Codes, number: Codes) -> Codes:
    """Return the numbers of pairs, 0 for those that are not known; `known` is in order."""
    if not len(known):
        return np.zeros(len(pairs), np.int64)
    at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    return np.where(known[at] == pairs, number[at], 0)


def _books(pairs: Codes) -> tuple[list[int], list[int]]:
    return (pairs >> _SHIFT).tolist(), (pairs & (1 << _SHIFT) - 1).tolist()
