"""Helpers that check problem documents."""

from typing import Any

from library.rest.errors.problems import MEDIA_TYPE


def errors_by_place(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the error messages by place: a pointer into the body, or a query parameter."""
    messages: dict[str, list[str]] = {}
    for error in document["errors"]:
        assert error["code"]
        (place,) = error.keys() - {"detail", "code"}
        assert place in ("pointer", "parameter")
        messages.setdefault(error[place], []).append(error["detail"])
    return messages


def problem_of(response: Any, status: int) -> dict[str, Any]:
    """Return the problem document of a response, after checking that it is complete."""
    document = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, MEDIA_TYPE), document
    assert document.keys() >= {"type", "title", "status", "detail", "instance", "code"}
    assert document.keys() <= {"type", "title", "status", "detail", "instance", "code", "errors", "extra"}
    assert (document["status"], document["type"]) == (status, f"/api/docs/#{document['code']}")
    assert all(document[name] for name in ("title", "detail", "instance"))
    assert "Traceback" not in response.content.decode()
    return document
