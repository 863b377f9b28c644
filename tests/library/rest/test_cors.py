"""Pages of other origins: none may use the API, unless the settings name them."""

import pytest

ORIGIN = "https://catalogue.example"


def asked(client, method="options", address="/api/v1/loans/", origin=ORIGIN):
    headers = {"origin": origin, "access-control-request-method": "POST"}
    headers["access-control-request-headers"] = "authorization, idempotency-key"
    return getattr(client, method)(address, headers=headers)


def test_none_may_unless_it_is_named(client):
    assert "Access-Control-Allow-Origin" not in asked(client)


@pytest.mark.django_db
def test_those_that_are_named_may_with_a_token_and_read_problems(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    answer = asked(client)
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert {"authorization", "idempotency-key"} <= set(answer["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer
    answer = asked(client, "get", "/api/v1/nothing/")
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (404, ORIGIN)
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in asked(client, origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in asked(client, "get", "/")
