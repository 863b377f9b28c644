import pytest

from classifier.models import Review, ReviewItem
from library.admin_site.roles import ADMINISTRATORS, ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_review, make_suggestion, make_version
from tests.factories import NOW, make_book, make_branch, make_category, make_copy
from tests.logins import api, make_librarian, make_user, make_user_without_permissions

pytestmark = pytest.mark.django_db


def test_claim_review_and_undo():
    best = make_suggestion(model_version=make_version(name="v1"), probability=0.5)
    make_item(book=best.book, position=1, benefit=0.25, conflicting=True)
    make_item(position=2)
    client = api(make_librarian())
    response = client.get("/api/v1/reviews/next/").json()
    assert response["remaining"] == 2
    (item,) = response["results"]
    assert item["book"]["id"] == best.book_id
    assert (item["position"], item["benefit"], item["reasons"]) == (1, 0.25, ["conflicting"])
    assert [suggestion["id"] for suggestion in item["suggestions"]] == [best.pk]
    response = client.post(
        "/api/v1/reviews/", {"suggestion": best.pk, "verdict": "accept", "note": "sure"}, format="json"
    )
    assert response.status_code == 201
    review = Review.objects.get()
    seconds = response.json().pop("seconds")
    assert seconds in (0, 1, 2, 3)
    assert {
        name: value for name, value in response.json().items() if name not in ("created_at", "seconds")
    } == {
        "id": review.pk,
        "book": best.book_id,
        "title": best.book.title,
        "suggested": best.category_id,
        "probability": 0.5,
        "model_version": "v1",
        "verdict": "accept",
        "category": best.category_id,
        "reviewer": "librarian",
        "note": "sure",
        "withdrawn_at": None,
    }
    assert Book.objects.get(pk=best.book_id).category_source == "librarian"
    undone = client.post("/api/v1/reviews/undo/")
    assert undone.json()["id"] == review.pk
    assert Book.objects.get(pk=best.book_id).category is None


def test_claim_several_books_with_filters():
    branch = make_branch(code="east")
    book = make_book(language="de")
    suggestion = make_suggestion(book=book)
    make_copy(book=book, branch=branch)
    make_item(book=book, low_confidence=True)
    for _ in range(3):
        make_item()
    client = api(make_librarian())
    assert len(client.get("/api/v1/reviews/next/?limit=3").json()["results"]) == 3
    query = f"branch=east&language=de&category={suggestion.category_id}&reason=low_confidence&limit=20"
    response = client.get(f"/api/v1/reviews/next/?{query}").json()
    assert (response["remaining"], [row["book"]["id"] for row in response["results"]]) == (1, [book.pk])


@pytest.mark.parametrize("query", ["limit=0", "limit=21", "branch=nowhere", "category=0", "reason=odd"])
def test_invalid_query_claims_nothing(query):
    make_item()
    response = api(make_librarian()).get(f"/api/v1/reviews/next/?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert ReviewItem.objects.get().locked_by is None


def test_invalid_verdicts():
    best = make_suggestion()
    make_item(book=best.book)
    client = api(make_librarian())
    response = client.post("/api/v1/reviews/", {"suggestion": best.pk, "verdict": "accept"}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "not_assigned")
    client.get("/api/v1/reviews/next/")
    for sent, code in (
        ({"verdict": "odd"}, "invalid"),
        ({"verdict": "correct"}, "review_error"),
        ({"verdict": "accept", "category": make_category().pk}, "review_error"),
        ({"verdict": "accept", "suggestion": 0}, "suggestion_replaced"),
    ):
        response = client.post("/api/v1/reviews/", {"suggestion": best.pk} | sent, format="json")
        assert (response.status_code, response.json()["code"]) == (400, code)
    assert not Review.objects.exists()


def test_list_of_reviews():
    old, new = make_review(), make_review(verdict="unknown", created_at=NOW.replace(year=2025))
    response = api(make_librarian()).get("/api/v1/reviews/").json()
    assert [row["id"] for row in response["results"]] == [new.pk, old.pk]
    filtered = api(make_user(ADMINISTRATORS)).get(f"/api/v1/reviews/?book={old.book_id}&verdict=reject")
    assert [row["id"] for row in filtered.json()["results"]] == [old.pk]


def test_analysts_read_statistics_only():
    make_review()
    client = api(make_user(ANALYSTS))
    statistics = client.get("/api/v1/reviews/statistics/").json()
    assert (statistics["reviewed"], statistics["verdicts"]["reject"], statistics["waiting"]) == (1, 1, 0)
    for url in ("/api/v1/reviews/", "/api/v1/reviews/next/"):
        assert client.get(url).status_code == 403
    for url in ("/api/v1/reviews/", "/api/v1/reviews/undo/"):
        assert client.post(url).status_code == 403
    assert api(make_user_without_permissions()).get("/api/v1/reviews/statistics/").status_code == 403


def test_suggestion_review_needs_no_claim():
    first = make_suggestion(book=make_book(), probability=0.6)
    second = make_suggestion(book=first.book, rank=2, probability=0.3)
    client = api(make_librarian())

    def review(suggestion, **verdict):
        return client.post(f"/api/v1/suggestions/{suggestion.pk}/review/", verdict, format="json")

    response = review(second, verdict="accept", note="sure")
    assert response.status_code == 201
    # Accepting a suggestion other than the first corrects the first.
    data = response.json()
    assert (data["verdict"], data["suggested"], data["category"], data["note"], data["seconds"]) == (
        "correct", first.category_id, second.category_id, "sure", None
    )  # fmt: skip
    assert Book.objects.get(pk=first.book_id).category_id == second.category_id
    correct = make_category()
    assert review(first, verdict="correct", category=correct.pk).json()["category"] == correct.pk
    assert review(first, verdict="reject").json()["verdict"] == "reject"
    assert review(first, verdict="reject").status_code == 404
    assert review(second, verdict="unknown").json()["code"] == "invalid"
    assert review(second, verdict="correct").json()["code"] == "review_error"
    assert Review.objects.count() == 3


def test_claimed_book_is_409_for_others():
    best = make_suggestion()
    make_item(book=best.book)
    own, other = api(make_librarian()), api(make_user(ADMINISTRATORS))
    own.get("/api/v1/reviews/next/")
    url = f"/api/v1/suggestions/{best.pk}/review/"
    response = other.post(url, {"verdict": "accept"}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "not_assigned")
    assert own.post(url, {"verdict": "accept"}, format="json").status_code == 201
