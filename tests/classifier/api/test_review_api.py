import pytest

from classifier.models import Review, ReviewItem
from library.admin_site.roles import ADMINISTRATORS, ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_item, make_review, make_suggestion, make_version
from tests.factories import NOW, make_book, make_branch, make_category, make_copy
from tests.logins import api, make_librarian, make_reader, make_user

pytestmark = pytest.mark.django_db


def test_a_librarian_takes_the_next_book_and_judges_it():
    best = make_suggestion(model_version=make_version(name="v1"), probability=0.5)
    make_item(book=best.book, place=1, benefit=0.25, disagree=True)
    make_item(place=2)
    client = api(make_librarian())
    answer = client.get("/api/v1/reviews/next/").json()
    assert answer["left"] == 2
    (item,) = answer["results"]
    assert item["book"]["id"] == best.book_id
    assert (item["place"], item["benefit"], item["reasons"]) == (1, 0.25, ["disagree"])
    assert [suggestion["id"] for suggestion in item["suggestions"]] == [best.pk]
    judged = client.post(
        "/api/v1/reviews/", {"suggestion": best.pk, "verdict": "accept", "note": "sure"}, format="json"
    )
    assert judged.status_code == 201
    review = Review.objects.get()
    seconds = judged.json().pop("seconds")
    assert seconds in (0, 1, 2, 3)
    assert {name: value for name, value in judged.json().items() if name not in ("at", "seconds")} == {
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


def test_several_books_are_taken_at_once_and_chosen_by_what_is_asked():
    branch = make_branch(code="east")
    book = make_book(language="de")
    suggestion = make_suggestion(book=book)
    make_copy(book=book, branch=branch)
    make_item(book=book, unsure=True)
    for _ in range(3):
        make_item()
    client = api(make_librarian())
    assert len(client.get("/api/v1/reviews/next/?n=3").json()["results"]) == 3
    query = f"branch=east&language=de&category={suggestion.category_id}&reason=unsure&n=20"
    answer = client.get(f"/api/v1/reviews/next/?{query}").json()
    assert (answer["left"], [row["book"]["id"] for row in answer["results"]]) == (1, [book.pk])


@pytest.mark.parametrize("query", ["n=0", "n=21", "branch=nowhere", "category=0", "reason=odd"])
def test_what_cannot_be_asked_for_is_refused_and_locks_nothing(query):
    make_item()
    answer = api(make_librarian()).get(f"/api/v1/reviews/next/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert ReviewItem.objects.get().locked_by is None


def test_a_book_that_is_not_taken_is_a_conflict_and_a_verdict_must_fit():
    best = make_suggestion()
    make_item(book=best.book)
    client = api(make_librarian())
    answer = client.post("/api/v1/reviews/", {"suggestion": best.pk, "verdict": "accept"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yours_error")
    client.get("/api/v1/reviews/next/")
    for sent, code in (
        ({"verdict": "odd"}, "invalid"),
        ({"verdict": "correct"}, "review_error"),
        ({"verdict": "accept", "category": make_category().pk}, "review_error"),
        ({"verdict": "accept", "suggestion": 0}, "suggestion_replaced_error"),
    ):
        answer = client.post("/api/v1/reviews/", {"suggestion": best.pk} | sent, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Review.objects.exists()


def test_reviews_are_listed_for_those_who_review():
    old, new = make_review(), make_review(verdict="unknown", at=NOW.replace(year=2025))
    answer = api(make_librarian()).get("/api/v1/reviews/").json()
    assert [row["id"] for row in answer["results"]] == [new.pk, old.pk]
    found = api(make_user(ADMINISTRATORS)).get(f"/api/v1/reviews/?book={old.book_id}&verdict=reject")
    assert [row["id"] for row in found.json()["results"]] == [old.pk]


def test_analysts_read_numbers_and_no_reviews():
    make_review()
    client = api(make_user(ANALYSTS))
    figures = client.get("/api/v1/reviews/figures/").json()
    assert (figures["reviewed"], figures["verdicts"]["reject"], figures["waiting"]) == (1, 1, 0)
    for address in ("/api/v1/reviews/", "/api/v1/reviews/next/"):
        assert client.get(address).status_code == 403
    for address in ("/api/v1/reviews/", "/api/v1/reviews/undo/"):
        assert client.post(address).status_code == 403
    assert api(make_reader()).get("/api/v1/reviews/figures/").status_code == 403


def test_a_suggestion_is_judged_at_its_own_address_without_taking_the_book():
    first = make_suggestion(book=make_book(), probability=0.6)
    second = make_suggestion(book=first.book, rank=2, probability=0.3)
    client = api(make_librarian())

    def judged(suggestion, **said):
        return client.post(f"/api/v1/suggestions/{suggestion.pk}/review/", said, format="json")

    answer = judged(second, verdict="accept", note="sure")
    assert answer.status_code == 201
    # To accept another than the best one is to correct that.
    said = answer.json()
    assert (said["verdict"], said["suggested"], said["category"], said["note"], said["seconds"]) == (
        "correct", first.category_id, second.category_id, "sure", None
    )  # fmt: skip
    assert Book.objects.get(pk=first.book_id).category_id == second.category_id
    right = make_category()
    assert judged(first, verdict="correct", category=right.pk).json()["category"] == right.pk
    assert judged(first, verdict="reject").json()["verdict"] == "reject"
    assert judged(first, verdict="reject").status_code == 404
    assert judged(second, verdict="unknown").json()["code"] == "invalid"
    assert judged(second, verdict="correct").json()["code"] == "review_error"
    assert Review.objects.count() == 3


def test_a_book_that_another_reviewer_has_taken_is_not_judged_beside_the_queue():
    best = make_suggestion()
    make_item(book=best.book)
    mine, other = api(make_librarian()), api(make_user(ADMINISTRATORS))
    mine.get("/api/v1/reviews/next/")
    address = f"/api/v1/suggestions/{best.pk}/review/"
    answer = other.post(address, {"verdict": "accept"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yours_error")
    assert mine.post(address, {"verdict": "accept"}, format="json").status_code == 201
