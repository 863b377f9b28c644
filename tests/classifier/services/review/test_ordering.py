"""The books that wait for review, in order: by how likely they are wrong and how much they are asked for."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from classifier.errors import NoModelError
from classifier.models import Review, ReviewItem, Run, Suggestion
from classifier.selectors.records import all_books, catalogue
from classifier.selectors.reviews import TRUSTED_SOURCES, uses_since
from classifier.services.classification.reclassify import classify
from classifier.services.review.ordering import order_reviews
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import clear_rejections, judge
from library.catalogue.models import Book
from library.circulation.models import LoanEvent
from tests.classifier.factories import make_item, make_suggestion
from tests.classifier.libraries import UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_category, make_loan
from tests.logins import make_reader

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture
def classified(data_folder, kept_versions):
    """A library with a trained version and suggestions."""
    trained_library(kept_versions)
    classify(now=NOW)


def lend(book, *, days_ago=1, times=1):
    at = NOW - timedelta(days=days_ago)
    for _ in range(times):
        LoanEvent.objects.create(kind="checkout", at=at, book=book)


def rows():
    return list(ReviewItem.objects.order_by("book").values())


def place_of(book):
    return ReviewItem.objects.get(book=book).place


def test_every_book_without_a_persons_category_waits_once(classified):
    result = order_reviews(now=NOW)
    assert result["books"] == UNCATEGORISED
    items = ReviewItem.objects.select_related("book")
    assert [item.place for item in items] == list(range(1, UNCATEGORISED + 1))
    assert {item.book for item in items} == set(Book.objects.filter(category=None))
    assert result["unsure"] == Suggestion.objects.filter(rank=1, abstained=True).count()
    assert result["disagree"] == Suggestion.objects.filter(rank=1, evidence__disagree=True).count()


def test_ordered_again_the_order_is_the_same_and_locks_stay(classified):
    order_reviews(now=NOW)
    reviewer = make_reader()
    next_for(reviewer=reviewer, now=NOW)
    before = rows()
    order_reviews(now=NOW)
    assert rows() == before
    order_reviews(now=LATER)
    assert rows() == [row | {"ordered_at": LATER} for row in before]


def test_what_is_lent_much_comes_to_the_front_though_nobody_knows_who_had_it(classified):
    order_reviews(now=NOW)
    last = ReviewItem.objects.order_by("-place").first().book
    lend(last, times=500)
    lend(ReviewItem.objects.get(place=1).book)
    order_reviews(now=NOW)
    item = ReviewItem.objects.get(book=last)
    assert item.place < UNCATEGORISED
    assert item.borrowed
    before = item.place
    lend(last, days_ago=400, times=10_000 // 100)
    order_reviews(now=NOW)
    assert place_of(last) == before


def test_a_hold_counts_as_a_loan_does_and_only_events_are_counted():
    book, other = make_book(), make_book()
    for kind in ("hold_placed", "checkin", "checkout"):
        LoanEvent.objects.create(kind=kind, at=NOW, book=book)
    make_loan(book=book)
    LoanEvent.objects.create(kind="checkout", at=NOW - timedelta(days=60), book=other)
    assert uses_since(since=NOW - timedelta(days=30)) == {book.pk: 2}


def test_what_is_filed_meanwhile_or_has_no_suggestion_waits_no_more(classified):
    gone = make_item(book=make_book(), ordered_at=NOW - timedelta(days=1))
    order_reviews(now=NOW)
    assert not ReviewItem.objects.filter(pk=gone.pk).exists()
    filed = ReviewItem.objects.get(place=1).book
    suggested = filed.suggestions.get(rank=1).category
    Book.objects.filter(pk=filed.pk).update(category=suggested, category_source="librarian")
    assert order_reviews(now=LATER)["books"] == UNCATEGORISED - 1


def test_a_book_that_a_person_or_an_import_filed_does_not_wait(classified):
    waiting = order_reviews(now=NOW)["books"]
    make_suggestion(book=make_book(category=make_category()), probability=0.99)
    assert order_reviews(now=NOW)["books"] == waiting


def test_a_book_of_which_nothing_is_known_is_unlike_anything_known(classified):
    strange = make_book(control_number="b999", title="@@@")
    classify(now=NOW)
    order_reviews(now=NOW)
    assert [item.book for item in ReviewItem.objects.filter(unlike=True)] == [strange]


def test_a_rejected_category_is_not_suggested_again_until_that_is_cleared(classified):
    order_reviews(now=NOW)
    reviewer = make_reader()
    (item,) = next_for(reviewer=reviewer, now=NOW)
    best = item.book.suggestions.get(rank=1)
    judge(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=NOW)
    classify(now=LATER)
    found = item.book.suggestions.order_by("rank")
    assert best.category not in [suggestion.category for suggestion in found]
    assert sum(suggestion.probability for suggestion in found) == pytest.approx(1)
    clear_rejections(book=item.book, now=LATER)
    classify(now=LATER)
    assert item.book.suggestions.get(rank=1).category == best.category


def test_a_model_learns_from_what_was_reviewed_and_never_from_its_own_guesses(classified):
    accepted, guessed = Book.objects.filter(category=None)[:2]
    order_reviews(now=NOW)
    reviewer = make_reader()
    ReviewItem.objects.exclude(book=accepted).update(reviewed_at=NOW)
    next_for(reviewer=reviewer, now=NOW)
    best = accepted.suggestions.get(rank=1)
    judge(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=NOW)
    Book.objects.filter(pk=guessed.pk).update(
        category=guessed.suggestions.get(rank=1).category, category_source="model"
    )
    learned = {book.id: book.category for book in catalogue(all_books()).books}
    assert learned[accepted.control_number] == f"local/{best.category.notation}"
    assert learned[guessed.control_number] is None
    of_people = Book.objects.filter(category_source__in=TRUSTED_SOURCES).count()
    assert sum(category is not None for category in learned.values()) == of_people


def test_without_a_model_there_is_no_order():
    with pytest.raises(NoModelError, match=r"manage\.py train"):
        order_reviews(now=NOW)


def test_the_queue_is_in_order_after_each_classifying(data_folder, kept_versions, capsys):
    trained_library(kept_versions)
    call_command("classify")
    assert ReviewItem.objects.count() == UNCATEGORISED
    assert [run.kind for run in Run.objects.order_by("pk")][-2:] == ["reclassify", "order_reviews"]
    call_command("order_reviews")
    assert Run.objects.filter(kind="order_reviews", status="succeeded").count() == 2
    assert not Review.objects.exists()
