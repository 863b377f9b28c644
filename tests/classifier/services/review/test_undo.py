"""Undo of reviews."""

from datetime import timedelta

import pytest

from classifier.models import Suggestion
from classifier.selectors.reviews import rejected
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import (
    NothingToUndoError,
    accept_suggestion,
    clear_rejections,
    record_verdict,
    undo_last,
)
from library.catalogue.models import Book
from tests.classifier.factories import file_book, make_review, make_suggestion
from tests.classifier.review_state import state
from tests.factories import NOW, make_category

LATER = NOW + timedelta(seconds=40)


@pytest.mark.parametrize("verdict", ["accept", "correct", "reject", "unknown"])
def test_undoing_a_review_leaves_everything_as_it_was(best, reviewer, verdict):
    before = state(best.book)
    category = make_category() if verdict == "correct" else None
    review = record_verdict(
        suggestion=best.pk, verdict=verdict, category=category, reviewer=reviewer, now=LATER
    )
    undone = undo_last(reviewer=reviewer, now=LATER)
    assert (undone, undone.withdrawn_at) == (review, LATER)
    assert state(best.book) == before
    assert rejected() == {}
    (item,) = next_for(reviewer=reviewer, now=LATER)
    assert item.book == best.book


def test_undo_restores_the_category(best, reviewer):
    imported = make_category()
    Book.objects.update(category=imported, category_source="imported")
    accept_suggestion(suggestion=best, reviewer=reviewer, now=LATER)
    undo_last(reviewer=reviewer, now=LATER)
    assert state(best.book)[0] == (imported.pk, "imported", None)


def test_undo_takes_own_reviews_in_turn(best, reviewer):
    record_verdict(suggestion=best.pk, verdict="unknown", reviewer=reviewer, now=LATER)
    make_review(created_at=LATER)
    first = make_review(reviewer=reviewer, verdict="unknown")
    assert undo_last(reviewer=reviewer, now=LATER).book == best.book
    assert undo_last(reviewer=reviewer, now=LATER) == first
    with pytest.raises(NothingToUndoError, match="no review"):
        undo_last(reviewer=reviewer, now=LATER)


def test_book_filed_elsewhere_is_not_undone(best, reviewer):
    record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=LATER)
    other = make_category()
    file_book(book=best.book, category=other)
    with pytest.raises(NothingToUndoError, match="Optics has since been filed elsewhere"):
        undo_last(reviewer=reviewer, now=LATER)
    assert Book.objects.get().category == other


def test_rejection_of_an_older_version_restores_no_suggestion(best, reviewer):
    record_verdict(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    Suggestion.objects.all().delete()
    newer = make_suggestion(book=best.book)
    undo_last(reviewer=reviewer, now=LATER)
    assert list(Suggestion.objects.all()) == [newer]
    assert rejected() == {}


def test_a_rejection_that_is_cleared_counts_no_more(best, reviewer):
    record_verdict(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=LATER)
    assert clear_rejections(book=best.book, now=LATER) == 1
    assert clear_rejections(book=best.book, now=LATER) == 0
    assert rejected() == {}
