import threading
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from classifier.models import Review, ReviewItem, Suggestion
from classifier.selectors.reviews import rejected
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import (
    NothingToUndoError,
    NotYoursError,
    ReviewError,
    SuggestionReplacedError,
    accept_suggestion,
    clear_rejections,
    correct_category,
    judge,
    undo_last,
)
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_review, make_suggestion, make_version
from tests.databases import on_postgresql
from tests.factories import NOW, make_book, make_category
from tests.logins import make_reader

LATER = NOW + timedelta(seconds=40)


@pytest.fixture
def reviewer(db):
    return make_reader()


@pytest.fixture
def best(reviewer):
    """The best of three suggestions for a book that the reviewer has locked."""
    book, version = make_book(title="Optics"), make_version()
    best, *_ = [
        make_suggestion(
            book=book, rank=rank, probability=sure, model_version=version, evidence={"rank": rank}
        )
        for rank, sure in ((1, 0.6), (2, 0.3), (3, 0.1))
    ]
    make_item(book=book)
    next_for(reviewer=reviewer, now=NOW)
    return best


def state(book):
    """What a review may change."""
    book.refresh_from_db()
    rows = book.suggestions.order_by("rank").values_list(
        "rank", "category", "probability", "abstained", "evidence"
    )
    filed = book.category_id, book.category_source, book.review_item.reviewed_at
    return filed, [(*row[:2], round(row[2], 9), *row[3:]) for row in rows]


@pytest.mark.django_db
def test_accepting_files_the_book_as_the_librarians_decision(reviewer):
    suggestion = make_suggestion()
    returned = accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    book = Book.objects.get()
    assert returned == book
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_accepting_replaces_a_category_that_a_model_set(reviewer):
    book = make_book(category=make_category(), category_source="model")
    suggestion = make_suggestion(book=book)
    accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_a_replaced_suggestion_is_refused_and_the_book_stays(reviewer):
    suggestion = make_suggestion()
    Suggestion.objects.all().delete()
    with pytest.raises(SuggestionReplacedError) as caught:
        accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    assert caught.value.extra == {"suggestion": suggestion.pk}
    assert Book.objects.get().category_source == "none"


@pytest.mark.django_db
def test_correcting_keeps_what_others_changed_meanwhile():
    book = make_book(title="Old")
    Book.objects.update(title="New")
    category = make_category()
    correct_category(book=book, category=category)
    book.refresh_from_db()
    assert (book.title, book.category, book.category_source) == ("New", category, "librarian")


@pytest.mark.django_db
def test_clearing_a_category_leaves_no_source():
    book = make_book(category=make_category())
    correct_category(book=book, category=None)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (None, "none")


@on_postgresql
def test_a_run_that_replaces_the_suggestion_wins_over_a_waiting_acceptance(database):
    suggestion, reviewer = make_suggestion(), make_reader()
    refused = []

    def accept():
        try:
            accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
        except SuggestionReplacedError as error:
            refused.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        Suggestion.objects.all().delete()
        thread = threading.Thread(target=accept)
        thread.start()
        # Until the acceptance waits for this transaction, or has wrongly gone on without it.
        while thread.is_alive() and not waits_for_lock():
            pass
    thread.join()
    assert len(refused) == 1
    assert Book.objects.get().category_source == "none"


def waits_for_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_accepting_writes_down_who_said_what_of_which_suggestion(best, reviewer):
    review = judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER, note="seen")
    assert Review.objects.values().get() == {
        "id": review.pk,
        "book_id": best.book_id,
        "suggested_id": best.category_id,
        "probability": 0.6,
        "evidence": {},
        "model_version_id": best.model_version_id,
        "verdict": "accept",
        "category_id": best.category_id,
        "category_before_id": None,
        "source_before": "none",
        "reviewer_id": reviewer.pk,
        "at": LATER,
        "seconds": 40,
        "note": "seen",
        "withdrawn_at": None,
    }
    assert state(best.book)[0] == (best.category_id, "librarian", LATER)


def test_correcting_files_the_book_under_another_category(best, reviewer):
    other = make_category()
    review = judge(suggestion=best.pk, verdict="correct", category=other, reviewer=reviewer, now=LATER)
    assert (review.suggested, review.category) == (best.category, other)
    assert state(best.book)[0] == (other.pk, "librarian", LATER)


def test_a_correction_to_what_was_suggested_is_an_acceptance(best, reviewer):
    same = {"category": best.category, "reviewer": reviewer, "now": LATER}
    assert judge(suggestion=best.pk, verdict="correct", **same).verdict == "accept"


def test_rejecting_leaves_the_other_suggestions_as_sure_as_they_are_without_it(best, reviewer):
    others = list(best.book.suggestions.order_by("rank")[1:])
    judge(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    filed, rows = state(best.book)
    assert filed == (None, "none", None)
    assert [row[:3] for row in rows] == [(1, others[0].category_id, 0.75), (2, others[1].category_id, 0.25)]
    key = f"local/{best.category.notation}"
    assert rejected() == {best.book.control_number: [key]}


def test_a_book_of_which_every_suggestion_is_rejected_waits_no_more(best, reviewer):
    for suggestion in list(best.book.suggestions.order_by("rank")):
        next_for(reviewer=reviewer, now=NOW)
        judge(suggestion=suggestion.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert state(best.book) == ((None, "none", LATER), [])
    assert next_for(reviewer=reviewer, now=LATER) == []


def test_a_rejected_category_that_a_model_had_set_is_taken_away(best, reviewer):
    Book.objects.update(category=best.category, category_source="model")
    judge(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (None, "none", None)
    undo_last(reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (best.category_id, "model", None)


def test_not_knowing_changes_nothing_and_gives_the_book_back(best, reviewer):
    before = state(best.book)
    judge(suggestion=best.pk, verdict="unknown", reviewer=reviewer, now=LATER)
    assert state(best.book) == before
    assert ReviewItem.objects.get().locked_by is None
    assert rejected() == {}


@pytest.mark.parametrize("verdict", ["accept", "correct", "reject", "unknown"])
def test_undoing_a_review_leaves_everything_as_it_was(best, reviewer, verdict):
    before = state(best.book)
    category = make_category() if verdict == "correct" else None
    review = judge(suggestion=best.pk, verdict=verdict, category=category, reviewer=reviewer, now=LATER)
    undone = undo_last(reviewer=reviewer, now=LATER)
    assert (undone, undone.withdrawn_at) == (review, LATER)
    assert state(best.book) == before
    assert rejected() == {}
    (item,) = next_for(reviewer=reviewer, now=LATER)
    assert item.book == best.book


def test_an_acceptance_is_undone_to_the_category_before(best, reviewer):
    imported = make_category()
    Book.objects.update(category=imported, category_source="imported")
    accept_suggestion(suggestion=best, reviewer=reviewer, now=LATER)
    undo_last(reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (imported.pk, "imported", None)


def test_reviews_are_undone_one_after_the_other_and_only_ones_own(best, reviewer):
    judge(suggestion=best.pk, verdict="unknown", reviewer=reviewer, now=LATER)
    make_review(at=LATER)
    first = make_review(reviewer=reviewer, verdict="unknown")
    assert undo_last(reviewer=reviewer, now=LATER).book == best.book
    assert undo_last(reviewer=reviewer, now=LATER) == first
    with pytest.raises(NothingToUndoError, match="no review"):
        undo_last(reviewer=reviewer, now=LATER)


def test_what_was_filed_in_another_way_since_is_not_undone(best, reviewer):
    judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER)
    other = make_category()
    correct_category(book=best.book, category=other)
    with pytest.raises(NothingToUndoError, match="Optics was filed in another way since"):
        undo_last(reviewer=reviewer, now=LATER)
    assert Book.objects.get().category == other


def test_a_rejection_of_an_older_versions_suggestion_is_undone_without_it(best, reviewer):
    judge(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    Suggestion.objects.all().delete()
    newer = make_suggestion(book=best.book)
    undo_last(reviewer=reviewer, now=LATER)
    assert list(Suggestion.objects.all()) == [newer]
    assert rejected() == {}


def test_a_rejection_that_is_cleared_counts_no_more(best, reviewer):
    judge(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert clear_rejections(book=best.book, now=LATER) == 1
    assert clear_rejections(book=best.book, now=LATER) == 0
    assert rejected() == {}


def test_a_verdict_sent_twice_counts_once(best, reviewer):
    for _ in range(2):
        with pytest.raises(NotYoursError) if Review.objects.exists() else nullcontext():
            judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER)
    assert Review.objects.count() == 1


def test_what_another_has_locked_since_is_not_judged(best, reviewer):
    after = NOW + timedelta(minutes=16)
    other = User.objects.create_user("other")
    assert [item.book for item in next_for(reviewer=other, now=after)] == [best.book]
    with pytest.raises(NotYoursError) as caught:
        judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=after)
    assert caught.value.extra == {"book": best.book_id}
    assert not Review.objects.exists()


def test_a_verdict_after_the_lock_ran_out_counts_if_nobody_took_the_book(best, reviewer):
    after = NOW + timedelta(minutes=16)
    assert judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=after).seconds is None


@pytest.mark.parametrize(
    ("verdict", "has_category", "message"),
    [
        ("correct", False, "names the right category"),
        ("accept", True, "name none"),
        ("perhaps", False, "no verdict “perhaps”"),
    ],
)
def test_a_verdict_says_all_and_no_more(best, reviewer, verdict, has_category, message):
    category = make_category() if has_category else None
    with pytest.raises(ReviewError, match=message):
        judge(suggestion=best.pk, verdict=verdict, category=category, reviewer=reviewer, now=LATER)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "accept"},
        {"verdict": "correct"},
        {"verdict": "accept", "category": "other"},
        {"verdict": "reject", "category": "other"},
    ],
)
def test_the_database_takes_no_review_that_contradicts_itself(wrong):
    if "category" in wrong:
        wrong = wrong | {"category": make_category()}
    with pytest.raises(IntegrityError):
        make_review(**wrong)


@pytest.mark.django_db
def test_the_database_takes_one_standing_rejection_of_a_category_for_a_book():
    suggestion = make_suggestion()
    make_review(suggestion=suggestion, withdrawn_at=NOW)
    make_review(suggestion=suggestion)
    with pytest.raises(IntegrityError):
        make_review(suggestion=suggestion)
