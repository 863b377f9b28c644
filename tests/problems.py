"""Problem documents, read by tests."""

from typing import Any

from library.rest.errors.problems import MEDIA_TYPE


def faults(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return what is said of each place that is not valid: a pointer into the body, or a parameter."""
    found: dict[str, list[str]] = {}
    for error in document["errors"]:
        assert error["code"]
        (place,) = error.keys() - {"detail", "code"}
        assert place in ("pointer", "parameter")
        found.setdefault(error[place], []).append(error["detail"])
    return found


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    """Return the problem document of an answer, which has to be whole."""
    document = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, MEDIA_TYPE), document
    assert document.keys() >= {"type", "title", "status", "detail", "instance", "code"}
    assert document.keys() <= {"type", "title", "status", "detail", "instance", "code", "errors", "extra"}
    assert (document["status"], document["type"]) == (status, f"/api/docs/#{document['code']}")
    assert all(document[name] for name in ("title", "detail", "instance"))
    assert "Traceback" not in answer.content.decode()
    return document
