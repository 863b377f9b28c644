"""Review queue: every book is assigned to one reviewer at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import ReviewItem
from classifier.selectors.reviews import ReviewFilters, review_statistics, waiting_items
from classifier.services.review.queue import MAX_BOOKS, next_for, release
from classifier.services.review.verdicts import accept_suggestion, record_verdict
from tests.classifier.factories import file_book, make_item, make_review, make_suggestion
from tests.databases import both_databases, in_thread
from tests.factories import NOW, make_book, make_branch, make_category, make_copy

AFTER = NOW + timedelta(minutes=15)
REVIEWERS = 16


def make_reviewers(n):
    return [User.objects.create_user(f"reviewer {number}") for number in range(n)]


@pytest.fixture
def anna(db):
    return User.objects.create_user("anna")


@pytest.fixture
def ben(db):
    return User.objects.create_user("ben")


def books(reviewer, now=NOW, n=1, **filters):
    return [item.book for item in next_for(reviewer=reviewer, now=now, n=n, filters=ReviewFilters(**filters))]


def test_the_next_book_is_the_first_that_nobody_has(anna, ben):
    second, first = make_item(position=2).book, make_item(position=1).book
    assert books(anna) == [first]
    assert books(ben) == [second]


def test_second_call_returns_the_same_books(anna):
    make_item()
    make_item()
    before = next_for(reviewer=anna, now=NOW, n=2)
    again = next_for(reviewer=anna, now=NOW + timedelta(minutes=5), n=2)
    assert again == before
    assert {item.locked_at for item in again} == {NOW}
    assert {item.locked_until for item in again} == {NOW + timedelta(minutes=20)}


def test_a_lock_runs_out(anna, ben):
    book = make_item().book
    assert books(anna) == [book]
    assert books(ben, now=AFTER - timedelta(seconds=1)) == []
    assert books(ben, now=AFTER) == [book]
    assert ReviewItem.objects.get().locked_at == AFTER


def test_other_locks_are_released(anna, ben):
    german, french = (make_item(book=make_suggestion(book=make_book(language=x)).book) for x in ("de", "fr"))
    assert books(anna, language="de") == [german.book]
    assert books(anna, language="fr") == [french.book]
    assert books(ben) == [german.book]
    release(reviewer=anna)
    assert books(ben, language="fr") == [french.book]


def test_no_more_than_a_page_is_locked_at_once(anna):
    for _ in range(MAX_BOOKS + 1):
        make_item()
    assert len(books(anna, n=1000)) == MAX_BOOKS
    assert len(books(anna, n=0)) == 1


def test_filters(anna):
    branch, category = make_branch(code="east"), make_category()
    chosen = make_book(language="de")
    make_suggestion(book=chosen, category=category)
    make_item(book=chosen, conflicting=True, position=2)
    make_copy(book=chosen, branch=branch)
    make_copy(book=chosen, branch=branch)
    other = make_item(position=1, low_confidence=True).book
    make_copy(book=other, branch=make_branch())
    make_suggestion(book=other, category=category, rank=2)
    for filters in (
        {"branch": "east"},
        {"language": "de"},
        {"category": category.pk},
        {"reason": "conflicting"},
        {"branch": "east", "language": "de", "category": category.pk, "reason": "conflicting"},
    ):
        assert books(anna, n=5, **filters) == [chosen], filters
    assert books(anna, n=5, branch="east", reason="low_confidence") == []


def test_deferred_book_comes_last_for_its_reviewer(anna, ben):
    first, second = make_item(position=1), make_item(position=2)
    record_verdict(suggestion=suggestion_of(anna, first), verdict="unknown", reviewer=anna, now=NOW)
    assert books(anna, n=2) == [second.book, first.book]
    release(reviewer=anna)
    assert books(ben) == [first.book]


def test_rejected_book_comes_later_until_the_next_order(anna):
    first, second = make_item(position=1), make_item(position=2)
    make_suggestion(book=first.book, rank=2)
    record_verdict(suggestion=suggestion_of(anna, first), verdict="reject", reviewer=anna, now=NOW)
    assert books(anna, n=2) == [second.book, first.book]
    ReviewItem.objects.update(ordered_at=NOW + timedelta(days=1))
    assert books(anna, n=2) == [first.book, second.book]


def test_reviewed_and_filed_books_leave_the_queue(anna, ben):
    items = [make_item() for _ in range(3)]
    record_verdict(suggestion=suggestion_of(anna, items[0]), verdict="accept", reviewer=anna, now=NOW)
    accept_suggestion(suggestion=items[1].book.suggestions.get(), reviewer=ben, now=NOW)
    file_book(book=items[2].book, category=make_category())
    assert books(anna) == []
    assert waiting_items().count() == 0


def suggestion_of(reviewer, item):
    (locked,) = next_for(reviewer=reviewer, now=NOW)
    assert locked == item
    return item.book.suggestions.get(rank=1).pk


def test_query_count_is_constant(anna):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            next_for(
                reviewer=anna,
                now=NOW,
                n=5,
                filters=ReviewFilters(branch="x", language="", reason="low_confidence"),
            )
            next_for(reviewer=anna, now=NOW, n=5)
        return len(captured)

    make_item()
    few = queries()
    for _ in range(8):
        make_review()
        make_item(low_confidence=True)
    # The second page with rows fills up at once: there is no need to look among those put off.
    assert queries() <= few
    assert few <= 24


def test_figures_count_and_name_nobody(anna):
    make_review()
    make_review(verdict="unknown", withdrawn_at=NOW)
    make_item(low_confidence=True, high_demand=True)
    make_item(low_confidence=True, reviewed_at=NOW)
    assert review_statistics() == {
        "reviewed": 1,
        "verdicts": {"accept": 0, "correct": 0, "reject": 1, "unknown": 0},
        "waiting": 1,
        "reasons": {"low_confidence": 1, "conflicting": 0, "high_demand": 1, "unfamiliar": 0},
    }


@both_databases
def test_concurrent_reviewers_get_different_books(database):
    reviewers = make_reviewers(REVIEWERS)
    for _ in range(3 * REVIEWERS):
        make_item()
    start = Barrier(REVIEWERS)

    def work(reviewer):
        start.wait()
        got = []
        for _ in range(3):
            (item,) = next_for(reviewer=reviewer, now=NOW)
            record_verdict(
                suggestion=item.book.suggestions.get().pk, verdict="accept", reviewer=reviewer, now=NOW
            )
            got.append(item.pk)
        return got

    with ThreadPoolExecutor(REVIEWERS) as threads:
        done = [in_thread(threads, lambda reviewer=reviewer: work(reviewer)) for reviewer in reviewers]
        got = [book for each in done for book in each.result()]
    assert sorted(got) == sorted(ReviewItem.objects.values_list("pk", flat=True))


@both_databases
def test_of_sixteen_reviewers_one_gets_the_last_book(database):
    reviewers = make_reviewers(REVIEWERS)
    make_item()
    start = Barrier(REVIEWERS)

    def work(reviewer):
        start.wait()
        return next_for(reviewer=reviewer, now=NOW)

    with ThreadPoolExecutor(REVIEWERS) as threads:
        done = [in_thread(threads, lambda reviewer=reviewer: work(reviewer)) for reviewer in reviewers]
        counts = sorted(len(each.result()) for each in done)
    assert counts == [0] * (REVIEWERS - 1) + [1]
