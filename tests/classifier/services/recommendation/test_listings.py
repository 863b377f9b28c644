"""Public lists, compared with a plain recount of the events."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import gamma

from classifier.models import Listing
from classifier.services import jobs
from classifier.services.recommendation.listings import PRIOR, refresh_listings
from library.catalogue.models import Book, Branch
from library.circulation.models import ExcludedLoanCount, LoanEvent
from library.circulation.services.erasure import erase_borrower
from tests.classifier.lending import lend, old_book, on, rows, times
from tests.classifier.libraries import make_library
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_borrower, make_branch, make_loan

pytestmark = pytest.mark.django_db


LEAST = 3


LONG_AGO = NOW - timedelta(days=2000)


@pytest.fixture(autouse=True)
def least(settings):
    settings.POPULARITY_MIN = LEAST


def recount(now):
    """The publishable loans, counted event by event: {(book, branch): (in the year, in the month)}."""
    years, months = {}, {}
    for event in LoanEvent.objects.all():
        if event.kind == "checkout" and now - timedelta(days=365) < event.occurred_at <= now:
            key = event.book_id, event.branch_id
            years[key] = years.get(key, 0) + 1
            months[key] = months.get(key, 0) + (event.occurred_at > now - timedelta(days=30))
    found = {}
    for book in {book for book, _ in years}:
        here = [key for key in years if key[0] == book]
        large = [key for key in here if key[1] is not None and years[key] >= LEAST]
        small = [key for key in here if key not in large]
        if sum(years[key] for key in small) < LEAST:
            small = []
        if not large and not small:
            continue
        few = sum(months[key] for key in large + small if months[key] < LEAST)
        many = sum(months[key] for key in large + small if months[key] >= LEAST)
        year = sum(years[key] for key in large + small)
        found[book, None] = year, many + (few if few >= LEAST else 0)
        found |= {key: (years[key], months[key] if months[key] >= LEAST else 0) for key in large}
    return found


def recounted_trends(now, counted):
    """The loans to be expected of what is lent surely more: {(book, branch): (times, expected)}."""
    found = {}
    lent = [
        event
        for event in LoanEvent.objects.filter(kind="checkout")
        if now - timedelta(days=365) < event.occurred_at <= now
    ]
    for (book, branch), (year, month) in counted.items():
        there = [event for event in lent if branch in (None, event.branch_id)]
        lately = sum(event.occurred_at > now - timedelta(days=30) for event in there)
        if not month or lately == len(there):
            continue
        expected = (year - month) * (lately / (len(there) - lately))
        if gamma.ppf(0.05, PRIOR + month, scale=1 / (PRIOR + expected)) > 1:
            found[book, branch] = month, pytest.approx(expected)
    return found


_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2),  # book
        st.integers(0, 2),  # branch; 0 is none
        st.sampled_from([-1, 0, 1, 29, 30, 31, 200, 364, 365, 366, 800]),  # days ago
        st.sampled_from(["checkout", "checkout", "checkout", "renewal", "hold_placed"]),
        st.integers(1, 9),  # times
    ),
    max_size=14,
)


@both_databases
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=_EVENTS)
def test_lists_equal_a_recount_of_events(database, events):
    with rolled_back():
        books = [old_book() for _ in range(3)]
        branches = [None, make_branch(), make_branch()]
        for book, branch, days, kind, number in events:
            lend(books[book], number, branch=branches[branch], days=days, kind=kind)
        refresh_listings(now=NOW)
        counted = recount(NOW)
        popular = Listing.objects.filter(kind="popular")
        assert {(row.book_id, row.branch_id): row.loans for row in popular} == {
            key: year for key, (year, _) in counted.items()
        }
        trending = Listing.objects.filter(kind="trending")
        assert {
            (row.book_id, row.branch_id): (row.loans, row.expected) for row in trending
        } == recounted_trends(NOW, counted)
        before = list(Listing.objects.order_by("pk").values_list())
        assert refresh_listings(now=NOW) == 0
        assert list(Listing.objects.order_by("pk").values_list()) == before


@both_databases
def test_forgetting_a_borrower_changes_no_number(database):
    book, other, reader, branch = old_book(), old_book(), make_borrower(), make_branch()
    lend(book, 9, branch=branch, days=2, borrower=reader)
    lend(book, 4, branch=branch, days=50)
    lend(other, 30, branch=branch, days=50, borrower=reader)
    loan = make_loan(book=book, borrower=reader, returned_at=NOW)
    refresh_listings(now=NOW)
    before = rows()
    assert {(row.kind, row.book, row.branch, row.loans) for row in Listing.objects.all()} == {
        *(("popular", book, there, 13) for there in (None, branch)),
        *(("popular", other, there, 30) for there in (None, branch)),
        *(("trending", book, there, 9) for there in (None, branch)),
    }
    erase_borrower(borrower=reader, now=NOW)
    loan.refresh_from_db()
    assert loan.borrower_id is None
    assert not LoanEvent.objects.filter(borrower__isnull=False).exists()
    assert refresh_listings(now=NOW) == 0
    assert rows() == before


def test_general_growth_is_not_a_trend():
    # A year of eleven such months, then term begins: all is lent four times as often.
    others = [old_book() for _ in range(6)]
    for book in others:
        lend(book, 22, days=100)
        lend(book, 8, days=3)
    own = old_book()
    lend(own, 22, days=100)
    lend(own, 40, days=3)
    refresh_listings(now=NOW)
    assert on("trending") == [own.control_number]
    row = Listing.objects.get(kind="trending")
    assert row.loans == 40
    assert row.expected == pytest.approx(22 * (6 * 8 + 40) / (7 * 22))


def test_young_library_has_no_trends():
    lend(old_book(), 50, days=3)
    refresh_listings(now=NOW)
    assert on("trending") == []
    assert len(on("popular")) == 1


def test_initial_import_is_not_new():
    make_book(created_at=LONG_AGO)
    make_book(created_at=LONG_AGO + timedelta(hours=2))
    make_book(created_at=NOW - timedelta(days=366))
    make_book(created_at=NOW + timedelta(days=1))
    first, last = (make_book(created_at=NOW - timedelta(days=days)) for days in (300, 3))
    refresh_listings(now=NOW)
    assert on("latest") == [last.control_number, first.control_number]
    assert Listing.objects.get(book=first).since == NOW - timedelta(days=300)


def test_a_catalogue_of_yesterday_has_no_new_titles():
    for _ in range(3):
        make_book(created_at=NOW - timedelta(hours=20))
    refresh_listings(now=NOW)
    assert on("latest") == []


def test_title_borrowed_before_it_was_added_is_not_new():
    old_book()
    entered = NOW - timedelta(days=10)
    earlier, later = make_book(created_at=entered), make_book(created_at=entered)
    lend(earlier, days=11)
    lend(later, days=9)
    refresh_listings(now=NOW)
    assert on("latest") == [later.control_number]


@both_databases
def test_only_what_has_changed_is_written(database):
    first, second, gone = (old_book() for _ in range(3))
    for book in (first, second, gone):
        lend(book, LEAST)
    refresh_listings(now=NOW)
    keys = dict(Listing.objects.values_list("book", "pk"))
    with CaptureQueriesContext(connection) as queries:
        assert refresh_listings(now=NOW) == 0
    assert [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE"))] == []
    lend(second)
    assert refresh_listings(now=NOW) == 2  # the old row and the new one
    after = dict(Listing.objects.values_list("book", "pk"))
    assert (after[first.pk], after[gone.pk]) == (keys[first.pk], keys[gone.pk])
    assert after[second.pk] != keys[second.pk]
    assert times(second) == LEAST + 1
    # A year later nothing of it is left.
    assert refresh_listings(now=NOW + timedelta(days=400)) == 3
    assert not Listing.objects.exists()


def test_renamed_book_is_sorted_again():
    book = old_book(control_number="B1")
    lend(book, LEAST)
    refresh_listings(now=NOW)
    Book.objects.update(control_number="A1")
    refresh_listings(now=NOW)
    assert Listing.objects.get().control_number == "A1"


def test_many_books_are_listed(monkeypatch):
    monkeypatch.setattr("classifier.services.recommendation.listings.KEYS_PER_QUERY", 2)
    books = [old_book() for _ in range(7)]
    for book in books:
        lend(book, LEAST)
    refresh_listings(now=NOW)
    assert len(on("popular")) == 7
    assert refresh_listings(now=NOW) == 0
    assert refresh_listings(now=NOW + timedelta(days=400)) == 7


def test_skipped_run_updates_the_lists():
    make_library()
    Book.objects.update(created_at=LONG_AGO)
    book = Book.objects.earliest("pk")
    lend(book, LEAST, branch=Branch.objects.first())
    phases = []
    jobs.run_here(
        kind="recommend", now=NOW, clock=lambda: NOW, progress=lambda phase, done, total: phases.append(phase)
    )
    assert "counting loans" in phases
    assert on("popular") == [book.control_number]
    # Events without loans: nothing that recommending reads has changed.
    lend(book)
    result = jobs.run_here(kind="recommend", now=NOW, clock=lambda: NOW)
    assert "skipped" in result
    assert times(book) == LEAST + 1


@both_databases
def test_excluded_borrower_does_not_count(database):
    here, book, other = make_branch(), old_book(), old_book()
    left_out = make_borrower(excluded_from_statistics=True)
    lend(book, LEAST, branch=here, borrower=make_borrower())
    lend(other, LEAST - 1, branch=here, borrower=make_borrower())
    refresh_listings(now=NOW)
    before = rows()
    for title in (book, other):
        lend(title, 2, branch=here, borrower=left_out)
    refresh_listings(now=NOW)
    assert rows() == before
    LoanEvent.objects.filter(borrower=left_out).update(borrower=None)
    for title in (book, other):
        ExcludedLoanCount.objects.create(book=title, count=2)
    refresh_listings(now=NOW)
    assert rows() == before
