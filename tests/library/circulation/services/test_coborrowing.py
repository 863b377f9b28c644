"""Pairs of titles kept when it is forgotten who had them, against a memory that forgets nothing."""

from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.circulation.models import CoBorrowing, Loan
from library.circulation.services import coborrowing
from library.circulation.services.anonymisation import cut_loans
from tests.databases import both_databases, undone
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan

pytestmark = pytest.mark.django_db

LEAST = 2


@pytest.fixture(autouse=True)
def least(settings):
    settings.CO_BORROWING_MIN = LEAST


def had(borrower, *books):
    """Loans of the books, returned."""
    return [make_loan(copy=make_copy(book=book), borrower=borrower, returned_at=NOW) for book in books]


def forget(*loans):
    """Forget who had loans of one borrower."""
    loans = [Loan.objects.select_related("copy").get(pk=loan.pk) for loan in loans]
    often = coborrowing.pairs_often_had(titles={loan.copy.book_id for loan in loans})
    return cut_loans(
        loans=[loan.pk for loan in loans], borrowers=sorted({loan.borrower_id for loan in loans}), often=often
    )


def kept():
    return {(row.book_id, row.other_id): row.count for row in CoBorrowing.objects.all()}


def test_a_pair_that_too_few_had_is_lost():
    first, second = had(make_borrower(), make_book(), make_book())
    assert forget(first) == coborrowing.PairReport(kept=0, lost=1)
    forget(second)
    assert kept() == {}


def test_a_pair_that_enough_had_is_counted_as_each_of_them_is_forgotten():
    one, other = make_book(), make_book()
    loans = [had(make_borrower(), one, other) for _ in range(3)]
    counts = []
    for first, second in loans:
        forget(first)
        counts.append(kept())
        forget(second)
        assert kept() == counts[-1]
    pair = (one.pk, other.pk)
    assert counts == [{pair: 1}, {pair: 2}, {pair: 3}]


def test_one_of_the_titles_had_twice_ends_the_pair_only_with_its_last_loan():
    one, other = make_book(), make_book()
    had(make_borrower(), one, other)
    first, second, third = had(make_borrower(), one, one, other)
    forget(first)
    assert kept() == {}
    forget(second)
    assert kept() == {(one.pk, other.pk): 1}
    forget(third)
    assert kept() == {(one.pk, other.pk): 1}


def test_a_reader_who_comes_back_for_forgotten_titles_is_not_counted_again():
    one, other = make_book(), make_book()
    for _ in range(LEAST):
        had(make_borrower(), one, other)
    reader = make_borrower()
    forget(*had(reader, one, other))
    assert kept() == {(one.pk, other.pk): 1}
    forget(*had(reader, one, other))
    assert kept() == {(one.pk, other.pk): 1}


def test_a_reader_counted_before_does_not_make_up_the_numbers_for_another():
    one, other = make_book(), make_book()
    companion, reader = make_borrower(), make_borrower()
    had(companion, one, other)
    forget(*had(reader, one, other))
    assert kept() == {(one.pk, other.pk): 1}
    had(reader, one, other)
    Loan.objects.filter(borrower=companion).delete()
    coborrowing.drop_rare_pairs()
    assert kept() == {}  # one reader is left, known and forgotten at once


def test_the_lower_key_comes_first_whatever_was_borrowed_first():
    one, other = make_book(), make_book()
    had(make_borrower(), other, one)
    forget(*had(make_borrower(), other, one))
    assert kept() == {(one.pk, other.pk): 1}


def test_of_who_had_very_many_titles_the_last_ones_count(monkeypatch):
    monkeypatch.setattr(coborrowing, "TITLES_A_BORROWER", 2)
    books = [make_book() for _ in range(3)]
    loans = []
    for reader in [make_borrower() for _ in range(LEAST)]:
        for months, book in enumerate(books, start=1):
            borrowed_at = NOW - timedelta(days=300 - 30 * months)
            copy = make_copy(book=book)
            loans.append(make_loan(copy=copy, borrower=reader, borrowed_at=borrowed_at, returned_at=NOW))
    forget(*loans)
    assert kept() == {(books[1].pk, books[2].pk): LEAST}


def test_blocks_of_titles_together_have_each_pair_once(monkeypatch):
    monkeypatch.setattr(coborrowing, "_BLOCK", 2)
    rng = np.random.default_rng(1)
    titles = 9
    had_by = [set(rng.choice(titles, size=rng.integers(1, titles), replace=False).tolist()) for _ in range(8)]
    borrower = np.concatenate([np.full(len(had), i) for i, had in enumerate(had_by)])
    title = np.concatenate([np.array(sorted(had), np.int64) for had in had_by])
    for asked in ([0, 3, 8], range(titles), []):
        mask = np.isin(np.arange(titles), list(asked))
        found = [
            (*pair, number)
            for block in coborrowing.pairs_had(borrower=borrower, title=title, asked=mask)
            for *pair, number in zip(*(column.tolist() for column in block), strict=True)
        ]
        assert sorted(found) == [
            (one, other, number)
            for one, other in combinations(range(titles), 2)
            if (one in asked or other in asked) and (number := sum({one, other} <= had for had in had_by))
        ]


class Memory:
    """Who had what, forgetting nothing; whom each pair was counted of."""

    def __init__(self):
        self.loans = {}  # by key: [borrower, book, known, counts]
        self.marked = set()
        self.counted = {}

    def borrow(self, key, borrower, book):
        self.loans[key] = [borrower, book, True, borrower not in self.marked]

    def pairs(self, borrower):
        books = {
            book for who, book, known, counts in self.loans.values() if who == borrower and known and counts
        }
        return set(combinations(sorted(books), 2))

    def forget(self, keys):
        borrowers = {self.loans[key][0] for key in keys}
        before = {who: self.pairs(who) for who in {loan[0] for loan in self.loans.values()}}
        for key in keys:
            self.loans[key][2] = False
        self.marked |= borrowers
        for pair in {pair for pairs in before.values() for pair in pairs}:
            having = {who for who, pairs in before.items() if pair in pairs}
            ended = {who for who in having & borrowers if pair not in self.pairs(who)}
            counted = self.counted.setdefault(pair, set())
            assert not ended & counted, "nobody is counted twice"
            if len(having | counted) >= LEAST:
                counted |= ended


@hypothesis_settings(max_examples=60)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("borrow"), st.integers(0, 3), st.integers(0, 3)),
            st.tuples(st.just("forget"), st.sets(st.integers(0, 30), min_size=1, max_size=4)),
        ),
        max_size=30,
    )
)
def test_in_whatever_order_loans_are_forgotten_each_borrower_counts_once_for_a_pair_and_only_among_enough(
    steps,
):
    with undone():
        memory = Memory()
        borrowers, books = [make_borrower() for _ in range(4)], [make_book() for _ in range(4)]
        loans = []
        for step, *about in steps:
            if step == "borrow":
                who, what = about
                loans += had(borrowers[who], books[what])
                memory.borrow(len(loans) - 1, borrowers[who].pk, books[what].pk)
                continue
            known = [key for key in sorted(about[0]) if key < len(loans) and memory.loans[key][2]]
            if known:
                forget(*(loans[key] for key in known))
                memory.forget(known)
            assert kept() == {pair: len(who) for pair, who in memory.counted.items() if who}


@both_databases
def test_counts_add_up_on_either_database(database):
    one, other = make_book(), make_book()
    for loans in [had(make_borrower(), one, other) for _ in range(3)]:
        forget(*loans)
    assert kept() == {(one.pk, other.pk): 3}
