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
    NotAssignedError,
    ReviewError,
    SuggestionReplacedError,
    accept_suggestion,
    record_verdict,
    undo_last,
)
from library.catalogue.models import Book
from tests.classifier.factories import make_review, make_suggestion
from tests.classifier.review_state import state
from tests.databases import on_postgresql
from tests.factories import NOW, make_book, make_category
from tests.logins import make_user_without_permissions

LATER = NOW + timedelta(seconds=40)


@pytest.mark.django_db
def test_acceptance_is_the_librarians_decision(reviewer):
    suggestion = make_suggestion()
    returned = accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    book = Book.objects.get()
    assert returned == book
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_acceptance_replaces_the_models_category(reviewer):
    book = make_book(category=make_category(), category_source="model")
    suggestion = make_suggestion(book=book)
    accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_replaced_suggestion_is_refused(reviewer):
    suggestion = make_suggestion()
    Suggestion.objects.all().delete()
    with pytest.raises(SuggestionReplacedError) as caught:
        accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=NOW)
    assert caught.value.extra == {"suggestion": suggestion.pk}
    assert Book.objects.get().category_source == "none"


def test_correction_keeps_other_fields(best, reviewer):
    Book.objects.update(title="New")
    category = make_category()
    record_verdict(suggestion=best.pk, verdict="correct", category=category, reviewer=reviewer, now=NOW)
    book = Book.objects.get()
    assert (book.title, book.category, book.category_source) == ("New", category, "librarian")


@on_postgresql
def test_run_wins_over_a_waiting_acceptance(database):
    suggestion, reviewer = make_suggestion(), make_user_without_permissions()
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


def test_review_has_reviewer_and_suggestion(best, reviewer):
    review = record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER, note="seen")
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
        "created_at": LATER,
        "seconds": 40,
        "note": "seen",
        "withdrawn_at": None,
    }
    assert state(best.book)[0] == (best.category_id, "librarian", LATER)


def test_correction_files_elsewhere(best, reviewer):
    other = make_category()
    review = record_verdict(
        suggestion=best.pk, verdict="correct", category=other, reviewer=reviewer, now=LATER
    )
    assert (review.suggested, review.category) == (best.category, other)
    assert state(best.book)[0] == (other.pk, "librarian", LATER)


def test_correction_to_the_suggestion_is_an_acceptance(best, reviewer):
    same = {"category": best.category, "reviewer": reviewer, "now": LATER}
    assert record_verdict(suggestion=best.pk, verdict="correct", **same).verdict == "accept"


def test_rejection_renormalises_the_others(best, reviewer):
    others = list(best.book.suggestions.order_by("rank")[1:])
    record_verdict(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    filed, rows = state(best.book)
    assert filed == (None, "none", None)
    assert [row[:3] for row in rows] == [(1, others[0].category_id, 0.75), (2, others[1].category_id, 0.25)]
    key = f"local/{best.category.notation}"
    assert rejected() == {best.book.control_number: [key]}


def test_book_without_suggestions_leaves_the_queue(best, reviewer):
    for suggestion in list(best.book.suggestions.order_by("rank")):
        next_for(reviewer=reviewer, now=NOW)
        record_verdict(suggestion=suggestion.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert state(best.book) == ((None, "none", LATER), [])
    assert next_for(reviewer=reviewer, now=LATER) == []


def test_rejection_clears_the_models_category(best, reviewer):
    Book.objects.update(category=best.category, category_source="model")
    record_verdict(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (None, "none", None)
    undo_last(reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (best.category_id, "model", None)


def test_unknown_verdict_releases_the_book(best, reviewer):
    before = state(best.book)
    record_verdict(suggestion=best.pk, verdict="unknown", reviewer=reviewer, now=LATER)
    assert state(best.book) == before
    assert ReviewItem.objects.get().locked_by is None
    assert rejected() == {}


def test_a_verdict_sent_twice_counts_once(best, reviewer):
    for _ in range(2):
        with pytest.raises(NotAssignedError) if Review.objects.exists() else nullcontext():
            record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER)
    assert Review.objects.count() == 1


def test_what_another_has_locked_since_is_not_judged(best, reviewer):
    after = NOW + timedelta(minutes=16)
    other = User.objects.create_user("other")
    assert [item.book for item in next_for(reviewer=other, now=after)] == [best.book]
    with pytest.raises(NotAssignedError) as caught:
        record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=after)
    assert caught.value.extra == {"book": best.book_id}
    assert not Review.objects.exists()


def test_verdict_after_an_expired_lock(best, reviewer):
    after = NOW + timedelta(minutes=16)
    assert record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=after).seconds is None


@pytest.mark.parametrize(
    ("verdict", "has_category", "message"),
    [
        ("correct", False, "must name the correct category"),
        ("accept", True, "other verdicts must not name one"),
        ("perhaps", False, "Unknown verdict “perhaps”"),
    ],
)
def test_a_verdict_says_all_and_no_more(best, reviewer, verdict, has_category, message):
    category = make_category() if has_category else None
    with pytest.raises(ReviewError, match=message):
        record_verdict(suggestion=best.pk, verdict=verdict, category=category, reviewer=reviewer, now=LATER)


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
def test_contradictory_review_is_refused_by_the_database(wrong):
    if "category" in wrong:
        wrong = wrong | {"category": make_category()}
    with pytest.raises(IntegrityError):
        make_review(**wrong)


@pytest.mark.django_db
def test_one_rejection_per_book_and_category():
    suggestion = make_suggestion()
    make_review(suggestion=suggestion, withdrawn_at=NOW)
    make_review(suggestion=suggestion)
    with pytest.raises(IntegrityError):
        make_review(suggestion=suggestion)
