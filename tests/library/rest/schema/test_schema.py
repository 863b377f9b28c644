import json
import re

import jsonschema
import pytest
from django.core.management import call_command
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate

from library.rest.schema.schema import CachedSchemaGenerator


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(file))
    return json.loads(file.read_text())


def test_schema_is_valid_openapi_without_warnings(schema):
    validate(schema)


def test_schema_has_every_path_of_the_api(schema):
    assert sorted(schema["paths"]) == [
        "/api/v1/alerts/",
        "/api/v1/alerts/{id}/",
        "/api/v1/batches/",
        "/api/v1/batches/{id}/",
        "/api/v1/batches/{id}/accept/",
        "/api/v1/batches/{id}/undo/",
        "/api/v1/books/",
        "/api/v1/books/{book_id}/availability/",
        "/api/v1/books/{book_id}/similar/",
        "/api/v1/books/{book_id}/suggestions/",
        "/api/v1/books/{id}/",
        "/api/v1/books/{id}/cover/{size}/",
        "/api/v1/borrower-categories/",
        "/api/v1/borrower-categories/{id}/",
        "/api/v1/borrowers/",
        "/api/v1/borrowers/{id}/",
        "/api/v1/borrowers/{id}/account/",
        "/api/v1/borrowers/{id}/export/",
        "/api/v1/borrowers/{id}/recommendations/",
        "/api/v1/branches/",
        "/api/v1/branches/{id}/",
        "/api/v1/categories/",
        "/api/v1/categories/tree/",
        "/api/v1/categories/{id}/",
        "/api/v1/categories/{id}/ancestors/",
        "/api/v1/categories/{id}/children/",
        "/api/v1/changes/",
        "/api/v1/changes/{id}/",
        "/api/v1/classify/",
        "/api/v1/classify/batch/",
        "/api/v1/closed-days/",
        "/api/v1/closed-days/{id}/",
        "/api/v1/copies/",
        "/api/v1/copies/{id}/",
        "/api/v1/feedback/",
        "/api/v1/feedback/{id}/",
        "/api/v1/fines/",
        "/api/v1/fines/pay/",
        "/api/v1/fines/waive/",
        "/api/v1/fines/{id}/",
        "/api/v1/hidden-gems/",
        "/api/v1/holds/",
        "/api/v1/holds/{id}/",
        "/api/v1/holds/{id}/cancel/",
        "/api/v1/holds/{id}/reorder/",
        "/api/v1/holds/{id}/resume/",
        "/api/v1/holds/{id}/suspend/",
        "/api/v1/item-types/",
        "/api/v1/item-types/{id}/",
        "/api/v1/latest/",
        "/api/v1/loan-policies/",
        "/api/v1/loan-policies/{id}/",
        "/api/v1/loans/",
        "/api/v1/loans/checkin/",
        "/api/v1/loans/{id}/",
        "/api/v1/loans/{id}/allows_renewal/",
        "/api/v1/loans/{id}/checkin/",
        "/api/v1/loans/{id}/renew/",
        "/api/v1/misfiled/",
        "/api/v1/misfiled/{id}/",
        "/api/v1/misfiled/{id}/dismiss/",
        "/api/v1/misfiled/{id}/move/",
        "/api/v1/models/",
        "/api/v1/models/rollback/",
        "/api/v1/models/{id}/",
        "/api/v1/models/{id}/pin/",
        "/api/v1/models/{id}/promote/",
        "/api/v1/notices/",
        "/api/v1/notices/{id}/",
        "/api/v1/popular/",
        "/api/v1/recommendations/",
        "/api/v1/recommendations/{id}/",
        "/api/v1/reviews/",
        "/api/v1/reviews/next/",
        "/api/v1/reviews/statistics/",
        "/api/v1/reviews/undo/",
        "/api/v1/runs/",
        "/api/v1/runs/{id}/",
        "/api/v1/runs/{id}/cancel/",
        "/api/v1/runs/{id}/events/",
        "/api/v1/stats/categories/",
        "/api/v1/stats/loans/",
        "/api/v1/stats/most-borrowed/",
        "/api/v1/status/",
        "/api/v1/suggestions/",
        "/api/v1/suggestions/{id}/",
        "/api/v1/suggestions/{id}/accept/",
        "/api/v1/suggestions/{id}/review/",
        "/api/v1/taxonomy-changes/",
        "/api/v1/taxonomy-changes/apply/",
        "/api/v1/taxonomy-changes/preview/",
        "/api/v1/taxonomy-changes/{id}/",
        "/api/v1/taxonomy-changes/{id}/undo/",
        "/api/v1/token/",
        "/api/v1/tokens/",
        "/api/v1/tokens/{id}/",
        "/api/v1/trending/",
    ]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_served_schema_matches_the_code(client, language):
    with translation.override(language):
        generated = SchemaGenerator().get_schema(request=None, public=True)
    for _ in range(2):
        response = client.get("/api/schema/", {"format": "json", "lang": language})
        assert response.status_code == 200
        assert response.json() == json.loads(json.dumps(generated, default=str))


def test_unknown_languages_are_not_cached(client):
    before = set(CachedSchemaGenerator._cache)
    assert client.get("/api/schema/", {"format": "json", "lang": "tlh"}).status_code == 200
    assert {language for language, _public in set(CachedSchemaGenerator._cache) - before} <= {"en", "zh-hans"}


def test_schema_is_yaml_by_default(client):
    response = client.get("/api/schema/")
    assert (response.status_code, response["Content-Type"]) == (
        200,
        "application/vnd.oai.openapi; charset=utf-8",
    )
    assert response.content.startswith(b"openapi: 3.1.1\n")


def test_documentation_page_loads_nothing_from_other_hosts(client):
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def bodies(operation):
    """Yield the request body and the responses with their statuses."""
    if "requestBody" in operation:
        yield "request", operation["requestBody"]
    yield from operation["responses"].items()


def test_every_request_and_response_has_a_valid_example(schema):
    wrong = []
    for name, operation in operations(schema):
        for status, body in bodies(operation):
            for kind, media in body.get("content", {}).items():
                values = [row["value"] for row in media.get("examples", {}).values()]
                examples = [*values, media["example"]] if "example" in media else values
                if not examples:
                    wrong.append((name, status, kind))
                validator = jsonschema.Draft202012Validator(
                    media["schema"] | {"components": schema["components"]}
                )
                errors = (error for example in examples for error in validator.iter_errors(example))
                wrong += [(name, status, error.json_path, error.message[:80]) for error in errors]
    assert wrong == []


def test_every_operation_declares_a_success(schema):
    without = [
        name
        for name, operation in operations(schema)
        if not any(status.startswith("2") for status in operation["responses"])
    ]
    assert without == []


def test_problems_are_declared_on_every_operation(schema):
    for name, operation in operations(schema):
        declared = set(operation["responses"])
        assert {"429", "503", "default"} <= declared, name
        if name != "post /api/v1/token/":
            assert {"401", "403"} <= declared, name
        for status, response in operation["responses"].items():
            if status[0] not in "23":
                (media,) = response["content"].items()
                assert media[0] == "application/problem+json"
                assert media[1]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_post_but_token_has_an_idempotency_key(schema):
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    without = [
        name
        for name, operation in operations(schema)
        if name.startswith("post ") and key not in operation.get("parameters", [])
    ]
    assert without == ["post /api/v1/token/"]


def test_schema_is_openapi_3_1_with_bearer_tokens(schema):
    assert schema["openapi"] == "3.1.1"
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
