"""Co-borrowed pairs kept by anonymising, checked against a model that keeps everything."""

from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.circulation.models import CoBorrowing, Loan
from library.circulation.services import coborrowing
from library.circulation.services.anonymisation import unlink_loans
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan

pytestmark = pytest.mark.django_db

MIN_BORROWERS = 2


@pytest.fixture(autouse=True)
def min_borrowers(settings):
    settings.CO_BORROWING_MIN = MIN_BORROWERS


def borrow(borrower, *books):
    """Create returned loans of the books."""
    return [make_loan(copy=make_copy(book=book), borrower=borrower, returned_at=NOW) for book in books]


def anonymise(*loans):
    """Anonymise loans of one borrower."""
    loans = [Loan.objects.select_related("copy").get(pk=loan.pk) for loan in loans]
    frequent = coborrowing.frequent_pairs(titles={loan.copy.book_id for loan in loans})
    return unlink_loans(
        loans=[loan.pk for loan in loans],
        borrowers=sorted({loan.borrower_id for loan in loans}),
        frequent=frequent,
    )


def stored_counts():
    return {(row.book_id, row.other_id): row.count for row in CoBorrowing.objects.all()}


def test_rare_pair_is_lost():
    first, second = borrow(make_borrower(), make_book(), make_book())
    assert anonymise(first) == coborrowing.PairReport(kept=0, lost=1)
    anonymise(second)
    assert stored_counts() == {}


def test_frequent_pair_is_counted_per_anonymised_borrower():
    one, other = make_book(), make_book()
    loans = [borrow(make_borrower(), one, other) for _ in range(3)]
    counts = []
    for first, second in loans:
        anonymise(first)
        counts.append(stored_counts())
        anonymise(second)
        assert stored_counts() == counts[-1]
    pair = (one.pk, other.pk)
    assert counts == [{pair: 1}, {pair: 2}, {pair: 3}]


def test_pair_ends_with_the_last_loan_of_a_title():
    one, other = make_book(), make_book()
    borrow(make_borrower(), one, other)
    first, second, third = borrow(make_borrower(), one, one, other)
    anonymise(first)
    assert stored_counts() == {}
    anonymise(second)
    assert stored_counts() == {(one.pk, other.pk): 1}
    anonymise(third)
    assert stored_counts() == {(one.pk, other.pk): 1}


def test_returning_borrower_is_not_counted_again():
    one, other = make_book(), make_book()
    for _ in range(MIN_BORROWERS):
        borrow(make_borrower(), one, other)
    borrower = make_borrower()
    anonymise(*borrow(borrower, one, other))
    assert stored_counts() == {(one.pk, other.pk): 1}
    anonymise(*borrow(borrower, one, other))
    assert stored_counts() == {(one.pk, other.pk): 1}


def test_borrower_is_not_counted_as_identified_and_anonymised():
    one, other = make_book(), make_book()
    companion, borrower = make_borrower(), make_borrower()
    borrow(companion, one, other)
    anonymise(*borrow(borrower, one, other))
    assert stored_counts() == {(one.pk, other.pk): 1}
    borrow(borrower, one, other)
    Loan.objects.filter(borrower=companion).delete()
    coborrowing.drop_rare_pairs()
    assert stored_counts() == {}  # the remaining borrower is identified and anonymised at once


def test_pair_keys_are_in_order():
    one, other = make_book(), make_book()
    borrow(make_borrower(), other, one)
    anonymise(*borrow(make_borrower(), other, one))
    assert stored_counts() == {(one.pk, other.pk): 1}


def test_only_the_last_titles_of_a_borrower_count(monkeypatch):
    monkeypatch.setattr(coborrowing, "TITLES_PER_BORROWER", 2)
    books = [make_book() for _ in range(3)]
    loans = []
    for borrower in [make_borrower() for _ in range(MIN_BORROWERS)]:
        for months, book in enumerate(books, start=1):
            borrowed_at = NOW - timedelta(days=300 - 30 * months)
            copy = make_copy(book=book)
            loans.append(make_loan(copy=copy, borrower=borrower, borrowed_at=borrowed_at, returned_at=NOW))
    anonymise(*loans)
    assert stored_counts() == {(books[1].pk, books[2].pk): MIN_BORROWERS}


def test_blocks_yield_each_pair_once(monkeypatch):
    monkeypatch.setattr(coborrowing, "_BLOCK_SIZE", 2)
    rng = np.random.default_rng(1)
    titles = 9
    had_by = [set(rng.choice(titles, size=rng.integers(1, titles), replace=False).tolist()) for _ in range(8)]
    borrower = np.concatenate([np.full(len(had), i) for i, had in enumerate(had_by)])
    title = np.concatenate([np.array(sorted(had), np.int64) for had in had_by])
    for wanted in ([0, 3, 8], range(titles), []):
        mask = np.isin(np.arange(titles), list(wanted))
        pairs = [
            (*pair, number)
            for block in coborrowing.pair_counts(borrower=borrower, title=title, wanted=mask)
            for *pair, number in zip(*(column.tolist() for column in block), strict=True)
        ]
        assert sorted(pairs) == [
            (one, other, number)
            for one, other in combinations(range(titles), 2)
            if (one in wanted or other in wanted) and (number := sum({one, other} <= had for had in had_by))
        ]


class Model:
    """All loans with their borrowers, and the borrowers counted for each pair."""

    def __init__(self):
        self.loans = {}  # by key: [borrower, book, is identified, counts]
        self.marked = set()
        self.counted = {}

    def borrow(self, key, borrower, book):
        self.loans[key] = [borrower, book, True, borrower not in self.marked]

    def pairs(self, borrower):
        books = {
            book
            for person, book, identified, counts in self.loans.values()
            if person == borrower and identified and counts
        }
        return set(combinations(sorted(books), 2))

    def anonymise(self, keys):
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
            if len(having | counted) >= MIN_BORROWERS:
                counted |= ended


@hypothesis_settings(max_examples=60)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("borrow"), st.integers(0, 3), st.integers(0, 3)),
            st.tuples(st.just("anonymise"), st.sets(st.integers(0, 30), min_size=1, max_size=4)),
        ),
        max_size=30,
    )
)
def test_any_order_counts_each_borrower_once_per_frequent_pair(
    steps,
):
    with rolled_back():
        model = Model()
        borrowers, books = [make_borrower() for _ in range(4)], [make_book() for _ in range(4)]
        loans = []
        for step, *details in steps:
            if step == "borrow":
                who, what = details
                loans += borrow(borrowers[who], books[what])
                model.borrow(len(loans) - 1, borrowers[who].pk, books[what].pk)
                continue
            keys = [key for key in sorted(details[0]) if key < len(loans) and model.loans[key][2]]
            if keys:
                anonymise(*(loans[key] for key in keys))
                model.anonymise(keys)
            assert stored_counts() == {pair: len(who) for pair, who in model.counted.items() if who}


@both_databases
def test_counts_add_up_on_both_databases(database):
    one, other = make_book(), make_book()
    for loans in [borrow(make_borrower(), one, other) for _ in range(3)]:
        anonymise(*loans)
    assert stored_counts() == {(one.pk, other.pk): 3}
