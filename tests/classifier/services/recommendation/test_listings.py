"""The lists for nobody in particular, against a plain recount of what happened."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import gamma

from classifier.models import Listing
from classifier.selectors.listings import listed
from classifier.services import jobs
from classifier.services.recommendation.listings import PRIOR, refresh_listings, told, trend
from library.catalogue.models import Book, Branch
from library.circulation.models import LeftOutLoans, LoanEvent
from library.circulation.services.erasure import erase_borrower
from tests.classifier.factories import make_links
from tests.classifier.libraries import make_library
from tests.databases import both_databases, undone
from tests.factories import NOW, make_book, make_borrower, make_branch, make_copy, make_loan

pytestmark = pytest.mark.django_db

LEAST = 3
LONG_AGO = NOW - timedelta(days=2000)


@pytest.fixture(autouse=True)
def least(settings):
    settings.POPULARITY_MIN = LEAST


def lend(book, times=1, *, branch=None, days=100, kind="checkout", **fields):
    LoanEvent.objects.bulk_create(
        LoanEvent(kind=kind, at=NOW - timedelta(days=days), book=book, branch=branch, **fields)
        for _ in range(times)
    )


def old_book(**fields):
    return make_book(**{"created_at": LONG_AGO} | fields)


def on(kind, **chosen):
    """The control numbers of a list, in order."""
    return [row.book.control_number for row in listed(kind=kind, **chosen)]


def rows():
    """All listings but for their keys."""
    fields = [field.attname for field in Listing._meta.fields if not field.primary_key]
    return sorted(Listing.objects.values_list(*fields), key=repr)


def times(book, branch=None, kind="popular"):
    return dict(Listing.objects.filter(book=book, branch=branch).values_list("kind", "times")).get(kind)


def recount(now):
    """The loans to be told of, counted event by event: {(book, branch): (in the year, in the month)}."""
    years, months = {}, {}
    for event in LoanEvent.objects.all():
        if event.kind == "checkout" and now - timedelta(days=365) < event.at <= now:
            key = event.book_id, event.branch_id
            years[key] = years.get(key, 0) + 1
            months[key] = months.get(key, 0) + (event.at > now - timedelta(days=30))
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
        if now - timedelta(days=365) < event.at <= now
    ]
    for (book, branch), (year, month) in counted.items():
        there = [event for event in lent if branch in (None, event.branch_id)]
        lately = sum(event.at > now - timedelta(days=30) for event in there)
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
def test_what_is_told_is_what_a_plain_recount_of_the_events_says(database, events):
    with undone():
        books = [old_book() for _ in range(3)]
        branches = [None, make_branch(), make_branch()]
        for book, branch, days, kind, number in events:
            lend(books[book], number, branch=branches[branch], days=days, kind=kind)
        refresh_listings(now=NOW)
        counted = recount(NOW)
        popular = Listing.objects.filter(kind="popular")
        assert {(row.book_id, row.branch_id): row.times for row in popular} == {
            key: year for key, (year, _) in counted.items()
        }
        trending = Listing.objects.filter(kind="trending")
        assert {
            (row.book_id, row.branch_id): (row.times, row.expected) for row in trending
        } == recounted_trends(NOW, counted)
        before = list(Listing.objects.order_by("pk").values_list())
        assert refresh_listings(now=NOW) == 0
        assert list(Listing.objects.order_by("pk").values_list()) == before


_BRANCHES = st.dictionaries(
    st.sampled_from([None, 1, 2, 3, 4]),
    st.tuples(st.integers(1, 12), st.integers(0, 12)).map(lambda pair: (max(pair), min(pair))),
)


@given(branches=_BRANCHES, least=st.integers(2, 6))
def test_no_difference_between_what_is_told_is_a_group_that_is_too_small(branches, least):
    found = told(branches, least=least)
    named = [counts for branch, counts in found.items() if branch is not None]
    assert all(year >= least and (month == 0 or month >= least) for year, month in named)
    if found:
        for which in (0, 1):
            rest = found[None][which] - sum(counts[which] for counts in named)
            assert rest == 0 or rest >= least
            assert found[None][which] <= sum(counts[which] for counts in branches.values())
        assert found[None][1] <= found[None][0]


@given(
    branches=_BRANCHES.filter(lambda found: found.keys() >= {1, 2}),
    number=st.integers(0, 1),
    least=st.integers(3, 6),
)
def test_whether_a_small_branch_lent_a_title_once_cannot_be_told_from_its_numbers(branches, number, least):
    # All others are named, so that one alone would be the difference.
    others = {branch: (max(year, least), 0) for branch, (year, _) in branches.items() if branch}
    assert told(others | {9: (1 + number, 1)}, least=least) == told(others, least=least)


def test_too_few_loans_are_not_told_of_neither_at_the_branch_nor_by_subtraction():
    book, large, small = old_book(), make_branch(), make_branch()
    lend(book, 7, branch=large)
    lend(book, 2, branch=small)
    refresh_listings(now=NOW)
    assert (times(book), times(book, large), times(book, small)) == (7, 7, None)
    lend(book, branch=small)
    refresh_listings(now=NOW)
    assert (times(book), times(book, large), times(book, small)) == (10, 7, 3)


@both_databases
def test_forgetting_a_borrower_changes_no_number(database):
    book, other, reader, branch = old_book(), old_book(), make_borrower(), make_branch()
    lend(book, 9, branch=branch, days=2, borrower=reader)
    lend(book, 4, branch=branch, days=50)
    lend(other, 30, branch=branch, days=50, borrower=reader)
    loan = make_loan(book=book, borrower=reader, returned_at=NOW)
    refresh_listings(now=NOW)
    before = rows()
    assert {(row.kind, row.book, row.branch, row.times) for row in Listing.objects.all()} == {
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


def test_two_loans_instead_of_one_make_no_trend_and_twenty_instead_of_ten_do():
    assert trend(times=2, expected=1) < 1
    assert trend(times=20, expected=10) > 1
    assert trend(times=5, expected=0) > 1 > trend(times=4, expected=0)


@given(st.integers(0, 300), st.floats(0, 300))
def test_a_trend_is_the_lower_bound_of_the_ratio_and_rises_with_loans(number, expected):
    bound = trend(times=number, expected=expected)
    assert bound == pytest.approx(gamma.ppf(0.05, PRIOR + number, scale=1 / (PRIOR + expected)))
    assert bound < trend(times=number + 1, expected=expected)


def test_what_rises_with_everything_else_is_no_trend():
    # A year of eleven such months, then term begins: all is lent four times as often.
    alike = [old_book() for _ in range(6)]
    for book in alike:
        lend(book, 22, days=100)
        lend(book, 8, days=3)
    own = old_book()
    lend(own, 22, days=100)
    lend(own, 40, days=3)
    refresh_listings(now=NOW)
    assert on("trending") == [own.control_number]
    row = Listing.objects.get(kind="trending")
    assert row.times == 40
    assert row.expected == pytest.approx(22 * (6 * 8 + 40) / (7 * 22))


def test_a_library_without_a_year_behind_it_has_no_trend():
    lend(old_book(), 50, days=3)
    refresh_listings(now=NOW)
    assert on("trending") == []
    assert len(on("popular")) == 1


def test_new_is_what_came_after_the_catalogue_was_first_filled_within_the_year():
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


def test_what_was_lent_before_it_was_entered_is_not_new():
    old_book()
    entered = NOW - timedelta(days=10)
    earlier, later = make_book(created_at=entered), make_book(created_at=entered)
    lend(earlier, days=11)
    lend(later, days=9)
    refresh_listings(now=NOW)
    assert on("latest") == [later.control_number]


@pytest.fixture
def neighbours():
    """Ten titles of which each was lent twice as often as the fewest that are told."""
    books = [old_book() for _ in range(10)]
    for book in books:
        lend(book, 2 * LEAST)
    return books


def near(book, others):
    make_links(book=book, alike={other: {"text": 0.5} for other in others})


@both_databases
def test_a_treasure_can_be_had_and_is_seldom_borrowed_though_titles_like_it_are(database):
    books = [old_book() for _ in range(10)]
    for book in books:
        lend(book, 2 * LEAST)
    hidden, less, lent, out, unlike = (old_book() for _ in range(5))
    unheard = [old_book() for _ in range(6)]
    for book in (hidden, less, lent, unlike):
        make_copy(book=book)
    make_copy(book=out, status="on_loan")
    for book in (hidden, lent, out):
        near(book, books)
    near(less, [*books[:6], *unheard[:3]])
    near(unlike, [*books[:4], *unheard])
    lend(hidden, LEAST - 1)
    lend(lent, LEAST)
    refresh_listings(now=NOW)
    assert on("treasure") == [hidden.control_number, less.control_number]
    assert list(Listing.objects.filter(kind="treasure").order_by("-score").values_list("score", "times")) == [
        (2 * LEAST, 2 * LEAST),
        (2 * LEAST * 6 / 9, 2 * LEAST * 6 // 9),
    ]
    assert refresh_listings(now=NOW) == 0


def test_whether_a_treasure_was_borrowed_once_or_never_is_not_told(neighbours):
    hidden = make_copy(book=old_book()).book
    near(hidden, neighbours)
    refresh_listings(now=NOW)
    before = rows()
    lend(hidden)
    assert refresh_listings(now=NOW) == 0
    assert rows() == before


def test_a_new_title_is_no_treasure_yet(neighbours):
    fresh = make_copy(book=make_book(created_at=NOW - timedelta(days=20))).book
    near(fresh, neighbours)
    refresh_listings(now=NOW)
    assert (on("treasure"), on("latest")) == ([], [fresh.control_number])


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


def test_a_book_that_is_called_otherwise_now_stands_where_it_belongs():
    book = old_book(control_number="B1")
    lend(book, LEAST)
    refresh_listings(now=NOW)
    Book.objects.update(control_number="A1")
    refresh_listings(now=NOW)
    assert Listing.objects.get().control_number == "A1"


def test_more_books_than_one_query_takes_are_all_listed(monkeypatch):
    monkeypatch.setattr("classifier.services.recommendation.listings.KEYS_A_QUERY", 2)
    books = [old_book() for _ in range(7)]
    for book in books:
        lend(book, LEAST)
    refresh_listings(now=NOW)
    assert len(on("popular")) == 7
    assert refresh_listings(now=NOW) == 0
    assert refresh_listings(now=NOW + timedelta(days=400)) == 7


def test_a_run_that_recommends_counts_too_even_where_nothing_else_is_to_be_done():
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
def test_who_is_left_out_counts_in_no_list_before_and_after_being_forgotten(database):
    here, book, other = make_branch(), old_book(), old_book()
    left_out = make_borrower(left_out=True)
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
        LeftOutLoans.objects.create(book=title, count=2)
    refresh_listings(now=NOW)
    assert rows() == before
