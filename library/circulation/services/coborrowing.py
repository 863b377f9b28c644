"""Keep counts of co-borrowed titles when loans are anonymised.

A borrower has a pair while both titles are among the borrower's counted loans. When anonymising a loan ends a
pair, its count goes up by one if at least ``CO_BORROWING_MIN`` different borrowers had the pair until then
(identified borrowers plus the stored count); otherwise the pair is lost.

Nobody is counted twice for a pair: once the first loan of a borrower is anonymised, only the loans that
existed then count (``Loan.counts_in_pairs``). These can only become fewer, so a pair ends only once. Without
this rule, a pair that had ended before could end again, since the earlier loans are anonymous. The price is
the pairs of later loans.

The work is bounded: only the last `TITLES_PER_BORROWER` titles of each borrower count. A borrower with more
is a school or a book club and says little about taste.

This module loads numpy and scipy: import it inside functions, since few requests anonymise.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from django.conf import settings
from django.db.models import Q, QuerySet

from library.circulation.models import CoBorrowing, Loan
from library.db import KEYS_PER_QUERY, add_counts, batches

TITLES_PER_BORROWER = 300

#: Condition on loans that count for pairs.
COUNTED = Q(borrower__isnull=False, borrower__excluded_from_statistics=False) & (
    Q(borrower__has_anonymised_loans=False) | Q(counts_in_pairs=True)
)

PairCodes = npt.NDArray[np.int64]
"""Pairs of books as integers: the lower primary key, shifted left, plus the higher one."""

_SHIFT = 32
_BLOCK_SIZE = 1000  # titles per sparse product: a few hundred MB in a large library
_MAX_TITLES_NAMED = KEYS_PER_QUERY // 2  # a statement names them twice


@dataclass(frozen=True, slots=True)
class PairReport:
    """Numbers of ended pairs, counted once per borrower: ``kept`` in the counts, or ``lost``."""

    kept: int = 0
    lost: int = 0

    def __add__(self, other: "PairReport") -> "PairReport":
        return PairReport(self.kept + other.kept, self.lost + other.lost)


def pair_counts(
    *, borrower: PairCodes, title: PairCodes, wanted: npt.NDArray[np.bool_]
) -> Iterator[tuple[PairCodes, PairCodes, PairCodes]]:
    """Yield pairs of titles and the number of borrowers of each, in blocks.

    Parameters
    ----------
    borrower, title : (n,)
        Indices from 0; each combination once.
    wanted : (n_titles,)
        A pair is yielded if at least one of its titles is wanted.

    Yields
    ------
    first, second, borrowers : (n_pairs,)
        ``first < second``; each pair once.
    """
    shape = (int(borrower.max(initial=-1)) + 1, len(wanted))
    loans = sp.csr_matrix((np.ones(len(title), np.int32), (borrower, title)), shape=shape)
    by_title = loans.T.tocsr()
    wanted_titles = np.flatnonzero(wanted)
    for start in range(0, len(wanted_titles), _BLOCK_SIZE):
        rows = wanted_titles[start : start + _BLOCK_SIZE]
        counts = (by_title[rows] @ loans).tocoo()
        left, right = rows[counts.row], counts.col.astype(np.int64)
        # A pair of two wanted titles is in the rows of both.
        once = (left < right) | ((left > right) & ~wanted[right])
        left, right = left[once], right[once]
        yield np.minimum(left, right), np.maximum(left, right), counts.data[once].astype(np.int64)


def titles_by_borrower(loans: QuerySet[Loan]) -> Iterator[tuple[int, list[int]]]:
    """Yield each borrower with the primary keys of the last `TITLES_PER_BORROWER` titles borrowed."""
    rows = loans.order_by("borrower", "-borrowed_at", "-pk").values_list("borrower", "copy__book")
    current, titles = 0, dict[int, None]()
    for borrower, book in rows.iterator(chunk_size=10_000):
        if borrower != current:
            if titles:
                yield current, list(titles)
            current, titles = borrower, {}
        if len(titles) < TITLES_PER_BORROWER:
            titles[book] = None
    if titles:
        yield current, list(titles)


def frequent_pairs(*, titles: Collection[int]) -> PairCodes:
    """Return the pairs that at least ``CO_BORROWING_MIN`` borrowers had, identified or anonymised, in order.

    Parameters
    ----------
    titles
        Primary keys of books; each pair has at least one of them.
    """
    stored, stored_counts = _stored_counts(titles)
    frequent = [np.empty(0, np.int64)]
    for pairs, counts in _current_counts(titles):
        totals = counts + _lookup(pairs, stored, stored_counts)
        frequent.append(pairs[totals >= settings.CO_BORROWING_MIN])
    return np.sort(np.concatenate(frequent))


def ended_pairs(*, borrowers: Collection[int], anonymised: Collection[int]) -> PairCodes:
    """Return the pairs that end when loans are anonymised, each repeated once per borrower.

    Parameters
    ----------
    borrowers
        Primary keys of locked borrowers.
    anonymised
        Primary keys of the loans about to be anonymised.
    """
    loans = Loan.objects.filter(COUNTED, borrower__in=borrowers)
    ending = set(anonymised)
    remaining: set[tuple[int, int]] = set()
    for pk, borrower, book in loans.order_by().values_list("pk", "borrower", "copy__book"):
        if pk not in ending:
            remaining.add((borrower, book))
    ended = [np.empty(0, np.int64)]
    for borrower, titles in titles_by_borrower(loans):
        before = np.array(titles, np.int64)
        lost = np.array([book for book in titles if (borrower, book) not in remaining], np.int64)
        low, high = np.minimum.outer(lost, before).ravel(), np.maximum.outer(lost, before).ravel()
        ended.append(np.unique((low << _SHIFT | high)[low < high]))
    return np.concatenate(ended)


def add_pair_counts(*, ended: PairCodes, frequent: PairCodes) -> PairReport:
    """Add ended pairs to the counts if they are frequent, within the caller's transaction.

    Parameters
    ----------
    ended
        Result of `ended_pairs`.
    frequent
        Result of `frequent_pairs`, computed before the loans were anonymised.
    """
    pairs, counts = np.unique(ended, return_counts=True)
    enough = np.isin(pairs, frequent, assume_unique=True)
    # In order, so that transactions that count the same pairs wait for each other without a deadlock.
    rows = zip(*_books(pairs[enough]), counts[enough].tolist(), strict=True)
    add_counts(model=CoBorrowing, keys=["book_id", "other_id"], rows=rows)
    return PairReport(kept=int(counts[enough].sum()), lost=int(counts[~enough].sum()))


def drop_rare_pairs() -> int:
    """Delete the counts of pairs that are no longer frequent; return the number deleted.

    A pair becomes rare when, after it was counted, loans are deleted or assigned to another borrower, or a
    borrower is excluded from statistics.
    """
    rare = CoBorrowing.objects.filter(count__lt=settings.CO_BORROWING_MIN)
    titles = set(rare.values_list("book", flat=True))
    frequent = frequent_pairs(titles=titles)
    rows = list(rare.order_by("pk").values_list("pk", "book", "other"))
    pairs = np.array([book << _SHIFT | other for _pk, book, other in rows], np.int64)
    deleted = [
        pk for (pk, _book, _other), keep in zip(rows, np.isin(pairs, frequent), strict=True) if not keep
    ]
    for batch in batches(deleted, KEYS_PER_QUERY):
        CoBorrowing.objects.filter(pk__in=batch).delete()
    return len(deleted)


def _current_counts(titles: Collection[int]) -> Iterator[tuple[PairCodes, PairCodes]]:
    """Yield pairs with at least one of the titles, and the number of identified borrowers of each."""
    loans = Loan.objects.filter(COUNTED)
    if len(titles) <= _MAX_TITLES_NAMED:  # more titles would match most borrowers anyway
        loans = loans.filter(borrower__in=Loan.objects.filter(copy__book__in=titles).values("borrower"))
    people, books = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, (_borrower, borrowed) in enumerate(titles_by_borrower(loans)):
        people.append(np.full(len(borrowed), number))
        books.append(np.array(borrowed, np.int64))
    book, title = np.unique(np.concatenate(books), return_inverse=True)
    wanted = np.isin(book, np.fromiter(titles, np.int64, len(titles)))
    for first, second, counts in pair_counts(borrower=np.concatenate(people), title=title, wanted=wanted):
        yield book[first] << _SHIFT | book[second], counts


def _stored_counts(titles: Collection[int]) -> tuple[PairCodes, PairCodes]:
    """Return the pairs that have a stored count, in order, and the counts."""
    rows = CoBorrowing.objects.order_by("book", "other")
    if len(titles) <= _MAX_TITLES_NAMED:
        rows = rows.filter(Q(book__in=titles) | Q(other__in=titles))
    values = (value for row in rows.values_list("book", "other", "count").iterator() for value in row)
    table = np.fromiter(values, np.int64).reshape(-1, 3)
    return table[:, 0] << _SHIFT | table[:, 1], table[:, 2]


def _lookup(pairs: PairCodes, stored: PairCodes, counts: PairCodes) -> PairCodes:
    """Return the count of each pair, 0 if it is not stored; `stored` is in order."""
    if not len(stored):
        return np.zeros(len(pairs), np.int64)
    index = np.minimum(np.searchsorted(stored, pairs), len(stored) - 1)
    return np.where(stored[index] == pairs, counts[index], 0)


def _books(pairs: PairCodes) -> tuple[list[int], list[int]]:
    return (pairs >> _SHIFT).tolist(), (pairs & (1 << _SHIFT) - 1).tolist()
