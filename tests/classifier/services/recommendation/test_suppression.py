"""Suppression of small groups, trends, and hidden gems."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma

from classifier.models import Listing
from classifier.services.recommendation.listings import PRIOR, publishable_counts, refresh_listings, trend
from tests.classifier.factories import make_neighbours
from tests.classifier.lending import lend, old_book, on, rows, times
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_branch, make_copy

pytestmark = pytest.mark.django_db


LEAST = 3


LONG_AGO = NOW - timedelta(days=2000)


@pytest.fixture(autouse=True)
def least(settings):
    settings.POPULARITY_MIN = LEAST


_BRANCHES = st.dictionaries(
    st.sampled_from([None, 1, 2, 3, 4]),
    st.tuples(st.integers(1, 12), st.integers(0, 12)).map(lambda pair: (max(pair), min(pair))),
)


@given(branches=_BRANCHES, least=st.integers(2, 6))
def test_differences_reveal_no_small_group(branches, least):
    found = publishable_counts(branches, minimum=least)
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
def test_small_branch_does_not_change_the_counts(branches, number, least):
    # All others are named, so that one alone would be the difference.
    others = {branch: (max(year, least), 0) for branch, (year, _) in branches.items() if branch}
    with_small = publishable_counts(others | {9: (1 + number, 1)}, minimum=least)
    assert with_small == publishable_counts(others, minimum=least)


def test_few_loans_are_suppressed():
    book, large, small = old_book(), make_branch(), make_branch()
    lend(book, 7, branch=large)
    lend(book, 2, branch=small)
    refresh_listings(now=NOW)
    assert (times(book), times(book, large), times(book, small)) == (7, 7, None)
    lend(book, branch=small)
    refresh_listings(now=NOW)
    assert (times(book), times(book, large), times(book, small)) == (10, 7, 3)


def test_trend_needs_many_loans():
    assert trend(loans=2, expected=1) < 1
    assert trend(loans=20, expected=10) > 1
    assert trend(loans=5, expected=0) > 1 > trend(loans=4, expected=0)


@given(st.integers(0, 300), st.floats(0, 300))
def test_trend_is_a_lower_bound(number, expected):
    bound = trend(loans=number, expected=expected)
    assert bound == pytest.approx(gamma.ppf(0.05, PRIOR + number, scale=1 / (PRIOR + expected)))
    assert bound < trend(loans=number + 1, expected=expected)


@pytest.fixture
def neighbours():
    """Ten titles, each borrowed twice as often as the minimum for publication."""
    books = [old_book() for _ in range(10)]
    for book in books:
        lend(book, 2 * LEAST)
    return books


def near(book, others):
    make_neighbours(book=book, similar={other: {"text": 0.5} for other in others})


@both_databases
def test_hidden_gem_is_available_and_rarely_borrowed(database):
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
    assert on("hidden_gem") == [hidden.control_number, less.control_number]
    assert list(
        Listing.objects.filter(kind="hidden_gem").order_by("-score").values_list("score", "loans")
    ) == [
        (2 * LEAST, 2 * LEAST),
        (2 * LEAST * 6 / 9, 2 * LEAST * 6 // 9),
    ]
    assert refresh_listings(now=NOW) == 0


def test_hidden_gem_hides_its_own_loans(neighbours):
    hidden = make_copy(book=old_book()).book
    near(hidden, neighbours)
    refresh_listings(now=NOW)
    before = rows()
    lend(hidden)
    assert refresh_listings(now=NOW) == 0
    assert rows() == before


def test_new_title_is_not_a_hidden_gem(neighbours):
    fresh = make_copy(book=make_book(created_at=NOW - timedelta(days=20))).book
    near(fresh, neighbours)
    refresh_listings(now=NOW)
    assert (on("hidden_gem"), on("latest")) == ([], [fresh.control_number])
