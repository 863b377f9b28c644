"""Bulk review: confident suggestions accepted together."""

import re
from datetime import timedelta

import pytest

from classifier.models import Review, ReviewItem
from classifier.selectors.reviews import bulk_candidates, bulk_groups
from classifier.services.review.groups import MAX_BOOKS, TooManyError, accept_group, undo_group
from classifier.services.review.verdicts import NothingToUndoError
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import file_book, make_item, make_suggestion
from tests.factories import NOW, make_book, make_category
from tests.logins import desk, make_librarian, make_user, make_user_without_permissions

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/review/bulk/"
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def physics():
    return make_category(notation="530", label_en="Physics")


@pytest.fixture
def reviewer():
    return make_librarian()


def waiting(category, probability=0.97, **fields):
    """Return a suggestion for a book that waits for review."""
    suggestion = make_suggestion(category=category, probability=probability, **fields)
    make_item(book=suggestion.book)
    return suggestion


def asked(reviewer):
    return {"probability": 0.95, "reviewer": reviewer, "now": NOW}


def test_group_has_confident_waiting_books(physics, reviewer):
    sure, surer = waiting(physics), waiting(physics, 0.99)
    waiting(physics, 0.94)
    waiting(physics, abstained=True)
    make_suggestion(category=physics, probability=0.99)  # waits no more
    filed = waiting(physics)
    file_book(book=filed.book, category=make_category())
    lent = waiting(physics)
    others = {"locked_by": make_user_without_permissions(), "locked_at": NOW, "locked_until": LATER}
    ReviewItem.objects.filter(book=lent.book).update(**others)
    assert list(bulk_candidates(**asked(reviewer))) == [surer, sure]
    assert bulk_groups(**asked(reviewer), limit=5) == [(physics, 2)]
    assert lent in bulk_candidates(**asked(reviewer) | {"now": LATER})


def test_replaced_and_filed_books_are_skipped(physics, reviewer):
    first, gone, filed, second = (waiting(physics) for _ in range(4))
    file_book(book=filed.book, category=make_category())
    shown = [first.pk, gone.pk, filed.pk, second.pk, first.pk]
    gone.delete()
    done = accept_group(suggestions=shown, reviewer=reviewer, now=NOW)
    assert done.filed == [first.book, second.book]
    assert len(done.skipped) == 2
    assert set(Book.objects.filter(category=physics, category_source="librarian")) == set(done.filed)
    assert Review.objects.filter(verdict="accept", reviewer=reviewer, created_at=NOW).count() == 2
    assert ReviewItem.objects.filter(reviewed_at=NOW).count() == 2


def test_what_another_reviewer_has_is_left_to_them(physics, reviewer):
    taken = waiting(physics)
    others = {"locked_by": make_user_without_permissions(), "locked_at": NOW, "locked_until": LATER}
    ReviewItem.objects.update(**others)
    done = accept_group(suggestions=[taken.pk], reviewer=reviewer, now=NOW)
    assert (done.filed, len(done.skipped)) == ([], 1)
    assert accept_group(suggestions=[taken.pk], reviewer=reviewer, now=LATER).filed == [taken.book]


def test_second_suggestion_is_not_in_a_group(physics, reviewer):
    second = make_suggestion(book=waiting(make_category()).book, category=physics, rank=2)
    assert accept_group(suggestions=[second.pk], reviewer=reviewer, now=NOW).filed == []
    assert Review.objects.count() == 0


def test_too_many_books_are_refused(physics, reviewer):
    sure = waiting(physics)
    with pytest.raises(TooManyError):
        accept_group(suggestions=[sure.pk, *range(-MAX_BOOKS, 0)], reviewer=reviewer, now=NOW)
    assert Review.objects.count() == 0


def test_undoing_takes_the_whole_go_back_and_no_more(physics, reviewer):
    early, *late = (waiting(physics) for _ in range(4))
    accept_group(suggestions=[early.pk], reviewer=reviewer, now=NOW)
    accept_group(suggestions=[each.pk for each in late], reviewer=reviewer, now=LATER)
    assert len(undo_group(reviewer=reviewer, now=LATER)) == 3
    assert list(Book.objects.filter(category=physics)) == [early.book]
    assert ReviewItem.objects.filter(reviewed_at=None).count() == 3
    assert len(undo_group(reviewer=reviewer, now=LATER)) == 1
    with pytest.raises(NothingToUndoError):
        undo_group(reviewer=reviewer, now=LATER)


def test_undo_stops_at_a_book_filed_elsewhere(physics, reviewer):
    first, second = waiting(physics), waiting(physics)
    accept_group(suggestions=[first.pk, second.pk], reviewer=reviewer, now=NOW)
    file_book(book=first.book, category=make_category())
    assert [review.book for review in undo_group(reviewer=reviewer, now=LATER)] == [second.book]


def test_page_files_the_selected_books(physics, reviewer):
    ticked, unticked = (waiting(physics, book=make_book(title=title)) for title in ("Optics", "Lenses"))
    other = waiting(make_category(notation="610", label_en="Medicine"))
    client = desk(reviewer)
    page = client.get(PAGE).content.decode()
    assert re.findall(r'name="suggestion" value="(\d+)" checked', page) == [str(ticked.pk), str(unticked.pk)]
    assert "File selected under 530 Physics" in page
    page = client.get(f"{PAGE}?probability=0.99").content.decode()
    assert (
        "No books to review reach this confidence. Lower the minimum, or check again after "
        "the next reclassification."
    ) in page
    page = client.get(f"{PAGE}?category={other.category_id}").content.decode()
    assert re.findall(r'name="suggestion" value="(\d+)"', page) == [str(other.pk)]
    page = client.post(
        PAGE, {"action": "accept", "suggestion": [ticked.pk, "x"]}, follow=True
    ).content.decode()
    assert "1 book filed as suggested." in page
    assert list(Book.objects.filter(category=physics)) == [ticked.book]
    page = client.post(PAGE, {"action": "undo"}, follow=True).content.decode()
    assert "1 review undone." in page
    assert not Book.objects.filter(category=physics).exists()
    assert "You have no review" in client.post(PAGE, {"action": "undo"}, follow=True).content.decode()


def test_page_lists_few_of_many_skipped_books(reviewer):
    page = desk(reviewer).post(PAGE, {"suggestion": range(1, 8)}, follow=True).content.decode()
    assert page.count("A newer suggestion has replaced this one") == 5
    assert "2 more books skipped." in page


def test_the_page_is_for_those_who_may_review():
    client = desk(make_user(ANALYSTS))
    for address in (PAGE, "/admin/classifier/review/categories/?term=a"):
        assert client.get(address).status_code == 403
    assert client.post(PAGE, {"action": "undo"}).status_code == 403
