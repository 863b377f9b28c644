"""The page that asks about book after book."""

import re

import pytest

from classifier.models import Review, ReviewItem
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_links, make_review, make_suggestion
from tests.factories import make_book, make_branch, make_category, make_copy
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/review/next/"
EVIDENCE = {
    "decision": 1.0, "baseline": 0.5, "shares": {"text": 0.5}, "terms": {"for": [], "against": []},
    "says": {}, "disagree": False, "left_out": [], "nearest": {},
    "borrowed_with": {"agree": 0.0, "books": []},
}  # fmt: skip


@pytest.fixture
def librarian():
    return make_librarian()


@pytest.fixture
def client(librarian):
    return desk(librarian)


@pytest.fixture
def best():
    """The best of two suggestions for a book with everything that the page shows."""
    category = make_category(notation="530", label_en="Physics")
    book = make_book(title="Optics", description="Of light", cover="covers/a.png", language="en")
    best = make_suggestion(book=book, category=category, probability=0.625)
    make_suggestion(book=book, category=make_category(notation="610"), rank=2, probability=0.25)
    make_links(book=book, alike={make_book(title="Lenses", category=category): {"text": 0.5}})
    make_item(book=book, unsure=True, place=1)
    return best


def text(answer):
    return answer.content.decode()


def key(category):
    return f"{category.scheme}/{category.notation}"


def test_the_page_shows_the_book_what_is_suggested_and_what_is_left(client, best):
    make_item(place=9)
    page = text(client.get(PAGE))
    for words in (
        "Optics", "Of light", "covers/a.png", "530 Physics", "62 %", "610", "25 %", "Lenses",
        "not sure enough", "2 books left to review",
    ):  # fmt: skip
        assert words in page, words
    for key in "acrsn2?":
        assert f'data-key="{key}"' in page
    assert 'data-key="u" disabled' in page


def test_the_words_that_decided_are_marked_where_they_stand(client, best):
    best.evidence = EVIDENCE | {
        "terms": {"for": [["title", "optics", 0.5]], "against": [["description", "light", -1]]}
    }
    best.save()
    page = text(client.get(PAGE))
    assert '<mark class="for" title="speaks for it">Optics</mark>' in page
    assert 'Of <mark class="against" title="speaks against it">light</mark>' in page


def test_the_next_books_come_with_the_page_unseen(client, librarian, best):
    waiting = [make_item(book=make_suggestion().book, place=place) for place in (3, 2, 4)]
    page = text(client.get(PAGE))
    assert re.findall(r'<article class="book" data-book="(\d+)"( hidden)?>', page) == [
        (str(best.pk), ""),
        (str(waiting[1].book.suggestions.get().pk), " hidden"),
        (str(waiting[0].book.suggestions.get().pk), " hidden"),
    ]
    assert ReviewItem.objects.filter(locked_by=librarian).count() == 3


def test_what_is_sent_in_the_background_is_answered_with_the_books_alone(client, best):
    following = make_item(book=make_suggestion().book, place=9).book.suggestions.get()
    client.get(PAGE)
    answer = client.post(
        PAGE, {"suggestion": best.pk, "verdict": "accept"}, headers={"X-Requested-With": "fetch"}
    )
    page = text(answer)
    assert answer.status_code == 200
    assert "<html" not in page
    assert '<p class="success">accept: Optics → 530 Physics.</p>' in page
    assert "1 book left to review" in page
    assert re.findall(r'data-book="(\d+)"', page) == [str(following.pk)]
    assert Book.objects.get(pk=best.book_id).category == best.category


def test_a_category_is_found_by_notation_and_by_name_with_those_above_it(client):
    science = make_category(notation="5", label_en="Science", label_zh="科学")
    physics = make_category(notation="53", label_en="Physics", label_zh="物理学", parent=science)
    make_category(notation="539", label_en="Modern physics", parent=physics)
    make_category(notation="91", label_en="Physics of old", retired_at="2024-01-01T00:00Z")

    def found(term, **options):
        results = client.get("/admin/classifier/review/categories/", {"term": term}, **options).json()[
            "results"
        ]
        return [(row["id"].partition("/")[2], row["text"], row["above"]) for row in results]

    modern = ("539", "539 Modern physics", "Science › Physics")
    assert found("53") == [("53", "53 Physics", "Science"), modern]
    assert found("modern") == [modern]
    assert found("physics") == [("53", "53 Physics", "Science"), modern]
    assert found("物理", headers={"accept-language": "zh-hans"}) == [
        ("53", "53 物理学", "科学"),
        ("539", "539 Modern physics", "科学 › 物理学"),
    ]
    assert found("nothing") == []


@pytest.mark.parametrize("verdict", ["accept", "reject", "unknown"])
def test_a_button_judges_and_leads_to_the_next_book(client, librarian, best, verdict):
    client.get(PAGE)
    answer = client.post(PAGE, {"suggestion": best.pk, "verdict": verdict, "note": "seen", "category": ""})
    assert (answer.status_code, answer.url) == (302, PAGE)
    review = Review.objects.get()
    assert (review.verdict, review.reviewer, review.note) == (verdict, librarian, "seen")


def test_the_search_and_the_second_suggestion_correct(client, best):
    second = best.book.suggestions.get(rank=2).category
    for sent, category in (({"other": key(second)}, second), ({"verdict": "correct"}, make_category())):
        client.get(PAGE)
        client.post(PAGE, {"suggestion": best.pk, "category": key(category)} | sent)
        assert Book.objects.get(pk=best.book_id).category == category
        assert "Undone: correct: Optics." in text(client.post(PAGE, {"verdict": "undo"}, follow=True))
        assert Book.objects.get(pk=best.book_id).category is None


def test_a_category_that_was_looked_for_and_not_taken_does_not_count(client, best):
    client.get(PAGE)
    client.post(PAGE, {"suggestion": best.pk, "verdict": "accept", "category": key(make_category())})
    assert Book.objects.get(pk=best.book_id).category == best.category


def test_a_category_can_be_typed_as_a_notation_and_needs_its_scheme_where_two_have_it(client, best):
    make_category(scheme="ddc", notation="700")
    other = make_category(scheme="udc", notation="700")
    sent = {"suggestion": best.pk, "verdict": "correct"}
    client.get(PAGE)
    assert "Several schemes have “700”" in text(client.post(PAGE, sent | {"category": "700"}, follow=True))
    assert "There is no category “x”" in text(client.post(PAGE, sent | {"category": "x"}, follow=True))
    assert Review.objects.count() == 0
    client.post(PAGE, sent | {"category": "udc/700"})
    assert Book.objects.get(pk=best.book_id).category == other


def test_what_cannot_be_done_is_told_in_a_sentence(client, best):
    assert "You have no review" in text(client.post(PAGE, {"verdict": "undo"}, follow=True))
    client.get(PAGE)
    sent = {"suggestion": best.pk, "verdict": "accept"}
    client.post(PAGE, sent)
    assert "not with you any more" in text(client.post(PAGE, sent, follow=True))
    assert "names the right category" in text(
        client.post(PAGE, {"suggestion": best.pk, "verdict": "correct"}, follow=True)
    )
    assert Review.objects.count() == 1
    for odd in ({}, {"suggestion": "x", "verdict": "accept"}, {"suggestion": best.pk, "verdict": "odd"}):
        assert client.post(PAGE, odd).status_code == 302


def test_the_choice_stays_from_book_to_book(client, best):
    make_copy(book=best.book, branch=make_branch(code="east"))
    make_item(place=0)
    address = f"{PAGE}?branch=east&language=en&reason=unsure&category={best.category_id}"
    page = text(client.get(address))
    assert "1 book left to review" in page
    assert "Optics" in page
    answer = client.post(address, {"suggestion": best.pk, "verdict": "accept"})
    assert answer.url == address
    assert "Nothing waits for review here." in text(client.get(address))


def test_a_choice_that_is_none_is_named_and_passed_over(client, best):
    page = text(client.get(f"{PAGE}?branch=nowhere&category=x&reason=odd"))
    assert page.count("Select a valid choice") == 3
    assert "Optics" in page


def test_who_has_nothing_left_learns_whether_others_have(client, best):
    ReviewItem.objects.update(
        locked_by=make_user(ANALYSTS), locked_at="2024-01-01T00:00Z", locked_until="2999-01-01T00:00Z"
    )
    assert "All of these are with other reviewers" in text(client.get(PAGE))


def test_the_page_is_for_those_who_may_review(best):
    client = desk(make_user(ANALYSTS))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"verdict": "undo"}).status_code == 403
    assert client.get("/admin/classifier/review/").status_code == 403


def test_rejections_are_cleared_from_the_list_of_reviews(client):
    cleared, kept = make_review(), make_review()
    sent = {"action": "clear_rejections_of", "_selected_action": [cleared.pk]}
    page = text(client.post("/admin/classifier/review/", sent, follow=True))
    assert "1 category may be suggested again" in page
    cleared.refresh_from_db()
    kept.refresh_from_db()
    assert cleared.withdrawn_at is not None
    assert kept.withdrawn_at is None
