import json

import pytest
from django.core.management import call_command

from library.catalogue.models import Book
from tests.classifier.factories import make_links, make_recommendation, make_suggestion
from tests.factories import make_book, make_category, make_copy
from tests.logins import api, make_librarian, make_reader

pytestmark = pytest.mark.django_db


def test_a_suggestion_is_read_with_its_book_and_its_version():
    evidence = {"decision": 1.5, "baseline": 0.5, "shares": {"text": 1.0}}
    suggestion = make_suggestion(
        category=make_category(notation="530"), probability=0.75, abstained=True, evidence=evidence
    )
    answer = api(make_reader()).get("/api/v1/suggestions/")
    assert answer.json()["results"] == [
        {
            "id": suggestion.pk,
            "book": suggestion.book_id,
            "title": suggestion.book.title,
            "rank": 1,
            "category": suggestion.category_id,
            "notation": "530",
            "probability": 0.75,
            "abstained": True,
            "evidence": evidence,
            "model_version": suggestion.model_version.name,
            "created_at": "2024-06-01T12:00:00Z",
        }
    ]


def test_suggestions_are_filtered_by_book_and_by_probability():
    sure = make_suggestion(probability=0.9)
    make_suggestion(probability=0.2)
    client = api(make_reader())
    for query in (f"book={sure.book_id}", "probability_min=0.5"):
        results = client.get(f"/api/v1/suggestions/?{query}").json()["results"]
        assert [row["id"] for row in results] == [sure.pk]


def test_suggestions_can_be_asked_for_without_the_guesses():
    suggestion, guess = make_suggestion(), make_suggestion(abstained=True)
    client = api(make_reader())
    for query, expected in (("abstained=false", suggestion), ("abstained=true", guess)):
        results = client.get(f"/api/v1/suggestions/?{query}").json()["results"]
        assert [row["id"] for row in results] == [expected.pk]


def test_the_schema_says_what_evidence_holds(tmp_path):
    file = tmp_path / "schema.json"
    call_command("spectacular", "--format", "openapi-json", "--file", str(file))
    suggestion = json.loads(file.read_text())["components"]["schemas"]["Suggestion"]
    assert set(suggestion["properties"]["evidence"]["properties"]) == {
        "decision", "baseline", "shares", "terms", "says", "disagree", "left_out", "nearest", "borrowed_with"
    }  # fmt: skip
    assert suggestion["properties"]["abstained"]["type"] == "boolean"


def test_a_librarian_accepts_a_suggestion():
    suggestion = make_suggestion(category=make_category(notation="530"))
    answer = api(make_librarian()).post(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert answer.status_code == 200
    assert answer.json()["id"] == suggestion.book_id
    assert answer.json()["category_notation"] == "530"
    assert answer.json()["category_source"] == "librarian"


def test_a_reader_may_not_accept():
    suggestion = make_suggestion()
    answer = api(make_reader()).post(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert Book.objects.get().category_source == "none"


def test_reading_the_accept_address_changes_nothing():
    suggestion = make_suggestion()
    answer = api(make_librarian()).get(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_recommendations_are_for_those_who_may_see_borrowers():
    mine = make_recommendation()
    make_recommendation()
    assert api(make_reader()).get("/api/v1/recommendations/").status_code == 403
    answer = api(make_librarian()).get(f"/api/v1/recommendations/?borrower={mine.borrower_id}")
    assert [row["id"] for row in answer.json()["results"]] == [mine.pk]
    assert answer.json()["results"][0]["reason"] == "Much borrowed in this library"


def test_similar_titles_come_nearest_first():
    book = make_book()
    far, near = make_book(), make_copy().book
    make_links(book=book, alike={far: {"cover": 0.125, "text": 0.25}, near: {"loans": 0.75, "text": 0.125}})
    make_links(book=near, alike={far: {"text": 1}})
    reader = api(make_reader())

    def similar(query=""):
        rows = reader.get(f"/api/v1/books/{book.pk}/similar/{query}").json()["results"]
        wanted = ("rank", "score", "sources", "available")
        return [(row["book"]["id"], *(row[name] for name in wanted)) for row in rows]

    first = (near.pk, 1, 0.875, ["loans"], True)
    assert similar() == [first, (far.pk, 2, 0.375, ["text", "cover"], False)]
    assert similar("?n=1") == similar("?available=true") == [first]
    assert similar("?offset=1") == [(far.pk, 2, 0.375, ["text", "cover"], False)]
    assert similar("?by=cover") == [(far.pk, 1, 0.125, ["cover"], False)]
    assert similar("?by=content") == [
        (far.pk, 1, 0.375, ["text", "cover"], False), (near.pk, 2, 0.125, ["text"], True),
    ]  # fmt: skip
    assert similar("?by=theme") == []
    words = "“smell” is none of content, loans, text, cover, theme."
    refused = reader.get(f"/api/v1/books/{book.pk}/similar/?by=smell")
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        [{"detail": words, "code": "invalid", "parameter": "by"}],
    )  # fmt: skip


def test_similar_titles_of_an_unknown_book_are_not_found():
    answer = api(make_reader()).get("/api/v1/books/1/similar/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
