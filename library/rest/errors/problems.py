"""Problem documents (RFC 9457), the format of every error below /api/."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from django.urls import reverse
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext_lazy as _

MEDIA_TYPE = "application/problem+json"
#: Seconds after which an unavailable resource may be back.
RETRY_AFTER = 5

#: By status: the code for errors without one of their own, and the title.
_DEFAULTS = {
    400: ("invalid", _("Bad request")),
    401: ("not_authenticated", _("Unauthorized")),
    403: ("permission_denied", _("Forbidden")),
    404: ("not_found", _("Not found")),
    405: ("method_not_allowed", _("Method not allowed")),
    406: ("not_acceptable", _("Not acceptable")),
    409: ("conflict", _("Conflict")),
    413: ("content_too_large", _("Content too large")),
    415: ("unsupported_media_type", _("Unsupported media type")),
    422: ("unprocessable_content", _("Unprocessable content")),
    429: ("throttled", _("Too many requests")),
    500: ("internal_error", _("Internal server error")),
    503: ("service_unavailable", _("Service unavailable")),
}


def problem(
    *,
    status: int,
    path: str,
    code: str = "",
    detail: object = "",
    errors: Sequence[Mapping[str, str]] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a problem document.

    Parameters
    ----------
    path
        The path of the request, without the query string, which may name people.
    code
        The kind of problem for programs, never renamed; default: the code of the status.
    detail
        What is wrong and how to fix it, for people; default: the title.
    errors
        For an invalid request: ``detail``, ``code`` and place of each error. The place is ``pointer`` (RFC
        6901) for the body, or ``parameter`` for the query string.
    extra
        Machine-readable facts behind the detail.
    """
    default_code, title = _DEFAULTS.get(status) or (f"status_{status}", HTTPStatus(status).phrase)
    code = code or default_code
    document: dict[str, Any] = {
        "type": f"{reverse('api-docs')}#{code}",
        "title": str(title),
        "status": status,
        "detail": str(detail or title),
        "instance": escape_uri_path(path),
        "code": code,
    }
    if errors is not None:
        document["errors"] = [dict(error) for error in errors]
    if extra:
        document["extra"] = dict(extra)
    return document


def problem_response(*, headers: Mapping[str, str] | None = None, **fields: Any) -> JsonResponse:
    """Return a problem as a response outside a view. Takes headers and the arguments of `problem`."""
    document = problem(**fields)
    return JsonResponse(
        document, status=fields["status"], content_type=MEDIA_TYPE, headers=dict(headers or {})
    )
