"""Order of the review queue, by the probability of an error and by demand."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from classifier.errors import NoModelError
from classifier.models import Review, ReviewItem, Run, Suggestion
from classifier.selectors.records import all_books, catalogue
from classifier.selectors.reviews import TRUSTED_SOURCES, demand_since
from classifier.services.classification.reclassify import classify
from classifier.services.review.ordering import order_reviews
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import clear_rejections, record_verdict
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book
from library.circulation.models import LoanEvent
from tests.classifier.factories import make_item, make_suggestion
from tests.classifier.libraries import UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_category, make_loan
from tests.logins import make_user_without_permissions

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture
def classified(data_folder, version_cache):
    """A library with a trained version and suggestions."""
    trained_library(version_cache)
    classify(JobContext(now=NOW))


def lend(book, *, days_ago=1, times=1):
    at = NOW - timedelta(days=days_ago)
    for _ in range(times):
        LoanEvent.objects.create(kind="checkout", occurred_at=at, book=book)


def rows():
    return list(ReviewItem.objects.order_by("book").values())


def place_of(book):
    return ReviewItem.objects.get(book=book).position


def test_every_unfiled_book_waits_once(classified):
    result = order_reviews(JobContext(now=NOW))
    assert result["books"] == UNCATEGORISED
    items = ReviewItem.objects.select_related("book")
    assert [item.position for item in items] == list(range(1, UNCATEGORISED + 1))
    assert {item.book for item in items} == set(Book.objects.filter(category=None))
    assert result["low_confidence"] == Suggestion.objects.filter(rank=1, abstained=True).count()
    assert result["conflicting"] == Suggestion.objects.filter(rank=1, evidence__disagree=True).count()


def test_second_order_is_the_same_and_keeps_locks(classified):
    order_reviews(JobContext(now=NOW))
    reviewer = make_user_without_permissions()
    next_for(reviewer=reviewer, now=NOW)
    before = rows()
    order_reviews(JobContext(now=NOW))
    assert rows() == before
    order_reviews(JobContext(now=LATER))
    assert rows() == [row | {"ordered_at": LATER} for row in before]


def test_demand_moves_a_book_forward_without_borrowers(classified):
    order_reviews(JobContext(now=NOW))
    # The last one is classified with certainty, so nobody needs to look at it.
    late = ReviewItem.objects.get(position=UNCATEGORISED - 1).book
    lend(late, times=500)
    lend(ReviewItem.objects.get(position=1).book)
    order_reviews(JobContext(now=NOW))
    item = ReviewItem.objects.get(book=late)
    assert item.position < UNCATEGORISED - 1
    assert item.high_demand
    before = item.position
    lend(late, days_ago=400, times=10_000 // 100)
    order_reviews(JobContext(now=NOW))
    assert place_of(late) == before


def test_holds_and_checkouts_are_demand():
    book, other = make_book(), make_book()
    for kind in ("hold_placed", "checkin", "checkout"):
        LoanEvent.objects.create(kind=kind, occurred_at=NOW, book=book)
    make_loan(book=book)
    LoanEvent.objects.create(kind="checkout", occurred_at=NOW - timedelta(days=60), book=other)
    assert demand_since(since=NOW - timedelta(days=30)) == {book.pk: 2}


def test_filed_books_leave_the_queue(classified):
    gone = make_item(book=make_book(), ordered_at=NOW - timedelta(days=1))
    order_reviews(JobContext(now=NOW))
    assert not ReviewItem.objects.filter(pk=gone.pk).exists()
    filed = ReviewItem.objects.get(position=1).book
    suggested = filed.suggestions.get(rank=1).category
    Book.objects.filter(pk=filed.pk).update(category=suggested, category_source="librarian")
    assert order_reviews(JobContext(now=LATER))["books"] == UNCATEGORISED - 1


def test_trusted_books_do_not_wait(classified):
    waiting = order_reviews(JobContext(now=NOW))["books"]
    make_suggestion(book=make_book(category=make_category()), probability=0.99)
    assert order_reviews(JobContext(now=NOW))["books"] == waiting


def test_empty_book_is_unfamiliar(classified):
    strange = make_book(control_number="b999", title="@@@")
    classify(JobContext(now=NOW))
    order_reviews(JobContext(now=NOW))
    assert [item.book for item in ReviewItem.objects.filter(unfamiliar=True)] == [strange]


def test_rejection_lasts_until_cleared(classified):
    order_reviews(JobContext(now=NOW))
    reviewer = make_user_without_permissions()
    (item,) = next_for(reviewer=reviewer, now=NOW)
    best = item.book.suggestions.get(rank=1)
    record_verdict(suggestion=best.pk, verdict="reject", reviewer=reviewer, now=NOW)
    classify(JobContext(now=LATER))
    found = item.book.suggestions.order_by("rank")
    assert best.category not in [suggestion.category for suggestion in found]
    assert sum(suggestion.probability for suggestion in found) == pytest.approx(1)
    clear_rejections(book=item.book, now=LATER)
    classify(JobContext(now=LATER))
    assert item.book.suggestions.get(rank=1).category == best.category


def test_only_reviews_train_the_model(classified):
    accepted, guessed = Book.objects.filter(category=None)[:2]
    order_reviews(JobContext(now=NOW))
    reviewer = make_user_without_permissions()
    ReviewItem.objects.exclude(book=accepted).update(reviewed_at=NOW)
    next_for(reviewer=reviewer, now=NOW)
    best = accepted.suggestions.get(rank=1)
    record_verdict(suggestion=best.pk, verdict="accept", reviewer=reviewer, now=NOW)
    Book.objects.filter(pk=guessed.pk).update(
        category=guessed.suggestions.get(rank=1).category, category_source="model"
    )
    learned = {book.id: book.category for book in catalogue(all_books()).books}
    assert learned[accepted.control_number] == f"local/{best.category.notation}"
    assert learned[guessed.control_number] is None
    of_people = Book.objects.filter(category_source__in=TRUSTED_SOURCES).count()
    assert sum(category is not None for category in learned.values()) == of_people


def test_no_version():
    with pytest.raises(NoModelError, match=r"manage\.py train"):
        order_reviews(JobContext(now=NOW))


def test_the_queue_is_in_order_after_each_classifying(data_folder, version_cache, capsys):
    trained_library(version_cache)
    call_command("classify")
    assert ReviewItem.objects.count() == UNCATEGORISED
    assert [run.kind for run in Run.objects.order_by("pk")][-2:] == ["reclassify", "order_reviews"]
    call_command("order_reviews")
    assert Run.objects.filter(kind="order_reviews", status="succeeded").count() == 2
    assert not Review.objects.exists()
