"""Many books that are surely of one category, accepted in one go."""

import re
from datetime import timedelta

import pytest

from classifier.models import Review, ReviewItem
from classifier.selectors.reviews import alike, groups_alike
from classifier.services.review.groups import MOST, TooManyError, accept_all, undo_group
from classifier.services.review.verdicts import NothingToUndoError, correct_category
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_suggestion
from tests.factories import NOW, make_book, make_category
from tests.logins import desk, make_librarian, make_reader, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/review/groups/"
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


def test_a_group_has_the_sure_suggestions_of_books_that_wait_and_are_with_nobody_else(physics, reviewer):
    sure, surer = waiting(physics), waiting(physics, 0.99)
    waiting(physics, 0.94)
    waiting(physics, abstained=True)
    make_suggestion(category=physics, probability=0.99)  # waits no more
    filed = waiting(physics)
    correct_category(book=filed.book, category=make_category())
    lent = waiting(physics)
    others = {"locked_by": make_reader(), "locked_at": NOW, "locked_until": LATER}
    ReviewItem.objects.filter(book=lent.book).update(**others)
    assert list(alike(**asked(reviewer))) == [surer, sure]
    assert groups_alike(**asked(reviewer), most=5) == [(physics, 2)]
    assert lent in alike(**asked(reviewer) | {"now": LATER})


def test_accepting_files_what_is_as_it_was_shown_and_says_what_is_not(physics, reviewer):
    first, gone, filed, second = (waiting(physics) for _ in range(4))
    correct_category(book=filed.book, category=make_category())
    shown = [first.pk, gone.pk, filed.pk, second.pk, first.pk]
    gone.delete()
    done = accept_all(suggestions=shown, reviewer=reviewer, now=NOW)
    assert done.filed == [first.book, second.book]
    assert len(done.left_out) == 2
    assert set(Book.objects.filter(category=physics, category_source="librarian")) == set(done.filed)
    assert Review.objects.filter(verdict="accept", reviewer=reviewer, at=NOW).count() == 2
    assert ReviewItem.objects.filter(reviewed_at=NOW).count() == 2


def test_what_another_reviewer_has_is_left_to_them(physics, reviewer):
    taken = waiting(physics)
    others = {"locked_by": make_reader(), "locked_at": NOW, "locked_until": LATER}
    ReviewItem.objects.update(**others)
    done = accept_all(suggestions=[taken.pk], reviewer=reviewer, now=NOW)
    assert (done.filed, len(done.left_out)) == ([], 1)
    assert accept_all(suggestions=[taken.pk], reviewer=reviewer, now=LATER).filed == [taken.book]


def test_a_second_best_suggestion_is_no_part_of_a_group(physics, reviewer):
    second = make_suggestion(book=waiting(make_category()).book, category=physics, rank=2)
    assert accept_all(suggestions=[second.pk], reviewer=reviewer, now=NOW).filed == []
    assert Review.objects.count() == 0


def test_more_than_can_be_looked_at_is_refused_as_a_whole(physics, reviewer):
    sure = waiting(physics)
    with pytest.raises(TooManyError):
        accept_all(suggestions=[sure.pk, *range(-MOST, 0)], reviewer=reviewer, now=NOW)
    assert Review.objects.count() == 0


def test_undoing_takes_the_whole_go_back_and_no_more(physics, reviewer):
    early, *late = (waiting(physics) for _ in range(4))
    accept_all(suggestions=[early.pk], reviewer=reviewer, now=NOW)
    accept_all(suggestions=[each.pk for each in late], reviewer=reviewer, now=LATER)
    assert len(undo_group(reviewer=reviewer, now=LATER)) == 3
    assert list(Book.objects.filter(category=physics)) == [early.book]
    assert ReviewItem.objects.filter(reviewed_at=None).count() == 3
    assert len(undo_group(reviewer=reviewer, now=LATER)) == 1
    with pytest.raises(NothingToUndoError):
        undo_group(reviewer=reviewer, now=LATER)


def test_undoing_ends_at_a_book_that_was_filed_in_another_way_since(physics, reviewer):
    first, second = waiting(physics), waiting(physics)
    accept_all(suggestions=[first.pk, second.pk], reviewer=reviewer, now=NOW)
    correct_category(book=first.book, category=make_category())
    assert [review.book for review in undo_group(reviewer=reviewer, now=LATER)] == [second.book]


def test_the_page_shows_the_largest_group_and_files_what_stays_ticked(physics, reviewer):
    ticked, unticked = (waiting(physics, book=make_book(title=title)) for title in ("Optics", "Lenses"))
    other = waiting(make_category(notation="610", label_en="Medicine"))
    client = desk(reviewer)
    page = client.get(PAGE).content.decode()
    assert re.findall(r'name="suggestion" value="(\d+)" checked', page) == [str(ticked.pk), str(unticked.pk)]
    assert "File those ticked under 530 Physics" in page
    page = client.get(f"{PAGE}?probability=0.99").content.decode()
    assert "No book that waits is suggested a category so surely." in page
    page = client.get(f"{PAGE}?category={other.category_id}").content.decode()
    assert re.findall(r'name="suggestion" value="(\d+)"', page) == [str(other.pk)]
    page = client.post(PAGE, {"do": "accept", "suggestion": [ticked.pk, "x"]}, follow=True).content.decode()
    assert "1 book filed as suggested." in page
    assert list(Book.objects.filter(category=physics)) == [ticked.book]
    page = client.post(PAGE, {"do": "undo"}, follow=True).content.decode()
    assert "1 review undone." in page
    assert not Book.objects.filter(category=physics).exists()
    assert "You have no review" in client.post(PAGE, {"do": "undo"}, follow=True).content.decode()


def test_of_many_that_are_left_out_a_few_are_told(reviewer):
    page = desk(reviewer).post(PAGE, {"suggestion": range(1, 8)}, follow=True).content.decode()
    assert page.count("This suggestion was replaced") == 5
    assert "2 more were left out." in page


def test_the_page_is_for_those_who_may_review():
    client = desk(make_user(ANALYSTS))
    for address in (PAGE, "/admin/classifier/review/categories/?term=a"):
        assert client.get(address).status_code == 403
    assert client.post(PAGE, {"do": "undo"}).status_code == 403
