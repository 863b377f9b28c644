"""Review page."""

import re

import pytest

from classifier.models import Review, ReviewItem
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_neighbours, make_review, make_suggestion
from tests.factories import make_book, make_branch, make_category, make_copy
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/review/next/"
EVIDENCE = {
    "score": 1.0, "baseline": 0.5, "contributions": {"text": 0.5}, "terms": {"for": [], "against": []},
    "modality_predictions": {}, "modalities_disagree": False, "excluded_modalities": [], "nearest_books": {},
    "co_borrowed": {"share": 0.0, "books": []},
}  # fmt: skip


@pytest.fixture
def librarian():
    return make_librarian()


@pytest.fixture
def client(librarian):
    return desk(librarian)


@pytest.fixture
def best():
    """The first of two suggestions for a book with everything that the page shows."""
    category = make_category(notation="530", label_en="Physics")
    book = make_book(title="Optics", description="Of light", cover="covers/a.png", language="en")
    best = make_suggestion(book=book, category=category, probability=0.625)
    make_suggestion(book=book, category=make_category(notation="610"), rank=2, probability=0.25)
    make_neighbours(book=book, similar={make_book(title="Lenses", category=category): {"text": 0.5}})
    make_item(book=book, low_confidence=True, position=1)
    return best


def html(response):
    return response.content.decode()


def key(category):
    return f"{category.scheme}/{category.notation}"


def test_page_shows_book_and_suggestions(client, best):
    make_item(position=9)
    page = html(client.get(PAGE))
    for text in (
        "Optics", "Of light", "covers/a.png", "530 Physics", "62 %", "610", "25 %", "Lenses",
        "Low confidence", "2 books to review",
    ):  # fmt: skip
        assert text in page, text
    for key in "acrsn2?":
        assert f'data-key="{key}"' in page
    assert 'data-key="u" disabled' in page


def test_evidence_terms_are_highlighted(client, best):
    best.evidence = EVIDENCE | {
        "terms": {"for": [["title", "optics", 0.5]], "against": [["description", "light", -1]]}
    }
    best.save()
    page = html(client.get(PAGE))
    assert '<mark class="for" title="Supports this category">Optics</mark>' in page
    assert 'Of <mark class="against" title="Counts against this category">light</mark>' in page


def test_next_books_are_preloaded_hidden(client, librarian, best):
    waiting = [make_item(book=make_suggestion().book, position=place) for place in (3, 2, 4)]
    page = html(client.get(PAGE))
    assert re.findall(r'<article class="book" data-book="(\d+)"( hidden)?>', page) == [
        (str(best.pk), ""),
        (str(waiting[1].book.suggestions.get().pk), " hidden"),
        (str(waiting[0].book.suggestions.get().pk), " hidden"),
    ]
    assert ReviewItem.objects.filter(locked_by=librarian).count() == 3


def test_background_request_returns_books_only(client, best):
    following = make_item(book=make_suggestion().book, position=9).book.suggestions.get()
    client.get(PAGE)
    response = client.post(
        PAGE, {"suggestion": best.pk, "verdict": "accept"}, headers={"X-Requested-With": "fetch"}
    )
    page = html(response)
    assert response.status_code == 200
    assert "<html" not in page
    assert '<p class="success">Accepted: Optics → 530 Physics.</p>' in page
    assert "1 book to review" in page
    assert re.findall(r'data-book="(\d+)"', page) == [str(following.pk)]
    assert Book.objects.get(pk=best.book_id).category == best.category


def test_category_search(client):
    science = make_category(notation="5", label_en="Science", label_zh="科学")
    physics = make_category(notation="53", label_en="Physics", label_zh="物理学", parent=science)
    make_category(notation="539", label_en="Modern physics", parent=physics)
    make_category(notation="91", label_en="Physics of old", retired_at="2024-01-01T00:00Z")

    def search(term, **options):
        results = client.get("/admin/classifier/review/categories/", {"term": term}, **options).json()[
            "results"
        ]
        return [(row["id"].partition("/")[2], row["text"], row["parents"]) for row in results]

    modern = ("539", "539 Modern physics", "Science › Physics")
    assert search("53") == [("53", "53 Physics", "Science"), modern]
    assert search("modern") == [modern]
    assert search("physics") == [("53", "53 Physics", "Science"), modern]
    assert search("物理", headers={"accept-language": "zh-hans"}) == [
        ("53", "53 物理学", "科学"),
        ("539", "539 Modern physics", "科学 › 物理学"),
    ]
    assert search("nothing") == []


@pytest.mark.parametrize("verdict", ["accept", "reject", "unknown"])
def test_verdict_button(client, librarian, best, verdict):
    client.get(PAGE)
    response = client.post(PAGE, {"suggestion": best.pk, "verdict": verdict, "note": "seen", "category": ""})
    assert (response.status_code, response.url) == (302, PAGE)
    review = Review.objects.get()
    assert (review.verdict, review.reviewer, review.note) == (verdict, librarian, "seen")


def test_corrections(client, best):
    second = best.book.suggestions.get(rank=2).category
    for sent, category in (({"other": key(second)}, second), ({"verdict": "correct"}, make_category())):
        client.get(PAGE)
        client.post(PAGE, {"suggestion": best.pk, "category": key(category)} | sent)
        assert Book.objects.get(pk=best.book_id).category == category
        assert "Undone: Corrected: Optics." in html(client.post(PAGE, {"verdict": "undo"}, follow=True))
        assert Book.objects.get(pk=best.book_id).category is None


def test_unused_category_field_is_ignored(client, best):
    client.get(PAGE)
    client.post(PAGE, {"suggestion": best.pk, "verdict": "accept", "category": key(make_category())})
    assert Book.objects.get(pk=best.book_id).category == best.category


def test_ambiguous_notation_needs_scheme(client, best):
    make_category(scheme="ddc", notation="700")
    other = make_category(scheme="udc", notation="700")
    sent = {"suggestion": best.pk, "verdict": "correct"}
    client.get(PAGE)
    assert "Several schemes contain “700”" in html(client.post(PAGE, sent | {"category": "700"}, follow=True))
    assert "Category “x” does not exist" in html(client.post(PAGE, sent | {"category": "x"}, follow=True))
    assert Review.objects.count() == 0
    client.post(PAGE, sent | {"category": "udc/700"})
    assert Book.objects.get(pk=best.book_id).category == other


def test_refused_verdicts_show_messages(client, best):
    assert "You have no review" in html(client.post(PAGE, {"verdict": "undo"}, follow=True))
    client.get(PAGE)
    sent = {"suggestion": best.pk, "verdict": "accept"}
    client.post(PAGE, sent)
    assert "no longer assigned to you" in html(client.post(PAGE, sent, follow=True))
    assert "must name the correct category" in html(
        client.post(PAGE, {"suggestion": best.pk, "verdict": "correct"}, follow=True)
    )
    assert Review.objects.count() == 1
    for odd in ({}, {"suggestion": "x", "verdict": "accept"}, {"suggestion": best.pk, "verdict": "odd"}):
        assert client.post(PAGE, odd).status_code == 302


def test_filters_are_kept(client, best):
    make_copy(book=best.book, branch=make_branch(code="east"))
    make_item(position=0)
    url = f"{PAGE}?branch=east&language=en&reason=low_confidence&category={best.category_id}"
    page = html(client.get(url))
    assert "1 book to review" in page
    assert "Optics" in page
    response = client.post(url, {"suggestion": best.pk, "verdict": "accept"})
    assert response.url == url
    assert "No books to review here. Books that need review appear after each reclassification." in html(
        client.get(url)
    )


def test_invalid_filters_are_shown_and_ignored(client, best):
    page = html(client.get(f"{PAGE}?branch=nowhere&category=x&reason=odd"))
    assert page.count("Select a valid choice") == 3
    assert "Optics" in page


def test_all_books_assigned_to_others(client, best):
    ReviewItem.objects.update(
        locked_by=make_user(ANALYSTS), locked_at="2024-01-01T00:00Z", locked_until="2999-01-01T00:00Z"
    )
    assert "All remaining books are assigned to other reviewers" in html(client.get(PAGE))


def test_page_needs_review_permission(best):
    client = desk(make_user(ANALYSTS))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"verdict": "undo"}).status_code == 403
    assert client.get("/admin/classifier/review/").status_code == 403


def test_rejected_category_can_be_allowed_again(client):
    cleared, kept = make_review(), make_review()
    sent = {"action": "allow_again", "_selected_action": [cleared.pk]}
    page = html(client.post("/admin/classifier/review/", sent, follow=True))
    assert "1 category can be suggested again" in page
    cleared.refresh_from_db()
    kept.refresh_from_db()
    assert cleared.withdrawn_at is not None
    assert kept.withdrawn_at is None
