"""CORS: only the origins in the settings may use the API."""

import pytest

ORIGIN = "https://catalogue.example"


def preflight(client, method="options", address="/api/v1/loans/", origin=ORIGIN):
    headers = {"origin": origin, "access-control-request-method": "POST"}
    headers["access-control-request-headers"] = "authorization, idempotency-key"
    return getattr(client, method)(address, headers=headers)


def test_unlisted_origin_is_refused(client):
    assert "Access-Control-Allow-Origin" not in preflight(client)


@pytest.mark.django_db
def test_listed_origin_may_send_tokens_and_read_problems(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    response = preflight(client)
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert {"authorization", "idempotency-key"} <= set(response["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in response
    response = preflight(client, "get", "/api/v1/nothing/")
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (404, ORIGIN)
    assert "Retry-After" in response["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in preflight(client, origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in preflight(client, "get", "/")
