import json

import pytest
from django.core.management import call_command

from library.catalogue.models import Book
from tests.classifier.factories import make_neighbours, make_recommendation, make_suggestion
from tests.factories import make_book, make_category, make_copy
from tests.logins import api, make_librarian, make_user_without_permissions

pytestmark = pytest.mark.django_db


def test_suggestion_fields():
    evidence = {"score": 1.5, "baseline": 0.5, "contributions": {"text": 1.0}}
    suggestion = make_suggestion(
        category=make_category(notation="530"), probability=0.75, abstained=True, evidence=evidence
    )
    response = api(make_user_without_permissions()).get("/api/v1/suggestions/")
    assert response.json()["results"] == [
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


def test_filters():
    confident = make_suggestion(probability=0.9)
    make_suggestion(probability=0.2)
    client = api(make_user_without_permissions())
    for query in (f"book={confident.book_id}", "probability_min=0.5"):
        results = client.get(f"/api/v1/suggestions/?{query}").json()["results"]
        assert [row["id"] for row in results] == [confident.pk]


def test_abstained_filter():
    suggestion, uncertain = make_suggestion(), make_suggestion(abstained=True)
    client = api(make_user_without_permissions())
    for query, expected in (("abstained=false", suggestion), ("abstained=true", uncertain)):
        results = client.get(f"/api/v1/suggestions/?{query}").json()["results"]
        assert [row["id"] for row in results] == [expected.pk]


def test_schema_describes_evidence(tmp_path):
    file = tmp_path / "schema.json"
    call_command("spectacular", "--format", "openapi-json", "--file", str(file))
    suggestion = json.loads(file.read_text())["components"]["schemas"]["Suggestion"]
    assert set(suggestion["properties"]["evidence"]["properties"]) == {
        "score", "baseline", "contributions", "terms", "modality_predictions", "modalities_disagree",
        "excluded_modalities", "nearest_books", "co_borrowed",
    }  # fmt: skip
    assert suggestion["properties"]["abstained"]["type"] == "boolean"


def test_librarian_accepts_suggestion():
    suggestion = make_suggestion(category=make_category(notation="530"))
    response = api(make_librarian()).post(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert response.status_code == 200
    assert response.json()["id"] == suggestion.book_id
    assert response.json()["category_notation"] == "530"
    assert response.json()["category_source"] == "librarian"


def test_user_without_permission_cannot_accept():
    suggestion = make_suggestion()
    response = api(make_user_without_permissions()).post(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert Book.objects.get().category_source == "none"


def test_get_on_accept_is_405():
    suggestion = make_suggestion()
    response = api(make_librarian()).get(f"/api/v1/suggestions/{suggestion.pk}/accept/")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_recommendations_need_borrower_permission():
    recommendation = make_recommendation()
    make_recommendation()
    assert api(make_user_without_permissions()).get("/api/v1/recommendations/").status_code == 403
    response = api(make_librarian()).get(f"/api/v1/recommendations/?borrower={recommendation.borrower_id}")
    assert [row["id"] for row in response.json()["results"]] == [recommendation.pk]
    assert response.json()["results"][0]["reason"] == "Popular in this library"


def test_similar_titles():
    book = make_book()
    far, near = make_book(), make_copy().book
    make_neighbours(
        book=book, similar={far: {"cover": 0.125, "text": 0.25}, near: {"loans": 0.75, "text": 0.125}}
    )
    make_neighbours(book=near, similar={far: {"text": 1}})
    client = api(make_user_without_permissions())

    def similar(query=""):
        rows = client.get(f"/api/v1/books/{book.pk}/similar/{query}").json()["results"]
        names = ("rank", "score", "sources", "available")
        return [(row["book"]["id"], *(row[name] for name in names)) for row in rows]

    first = (near.pk, 1, 0.875, ["loans"], True)
    assert similar() == [first, (far.pk, 2, 0.375, ["text", "cover"], False)]
    assert similar("?limit=1") == similar("?available=true") == [first]
    assert similar("?offset=1") == [(far.pk, 2, 0.375, ["text", "cover"], False)]
    assert similar("?by=cover") == [(far.pk, 1, 0.125, ["cover"], False)]
    assert similar("?by=content") == [
        (far.pk, 1, 0.375, ["text", "cover"], False), (near.pk, 2, 0.125, ["text"], True),
    ]  # fmt: skip
    assert similar("?by=theme") == []
    text = "Unknown value “smell”. Use one or more of content, loans, text, cover, theme."
    refused = client.get(f"/api/v1/books/{book.pk}/similar/?by=smell")
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        [{"detail": text, "code": "invalid", "parameter": "by"}],
    )  # fmt: skip


def test_similar_titles_of_unknown_book_is_404():
    response = api(make_user_without_permissions()).get("/api/v1/books/1/similar/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
