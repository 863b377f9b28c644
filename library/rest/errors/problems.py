"""Problem documents (RFC 9457): the one shape of every error below /api/."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from django.urls import reverse
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext_lazy as _

MEDIA_TYPE = "application/problem+json"
#: Seconds after which to ask again where what is missing may be back by then.
RETRY_AFTER = 5

#: By status: the code where nothing more is known, and the title.
_KINDS = {
    400: ("invalid", _("The request is not valid")),
    401: ("not_authenticated", _("Not signed in")),
    403: ("permission_denied", _("Not allowed")),
    404: ("not_found", _("Nothing is here")),
    405: ("method_not_allowed", _("The address does not do this")),
    406: ("not_acceptable", _("No answer in this form")),
    409: ("conflict", _("Not possible as things stand")),
    413: ("too_large", _("Too large")),
    415: ("unsupported_media_type", _("No request in this form")),
    422: ("contradiction", _("The request contradicts an earlier one")),
    429: ("throttled", _("Too many requests")),
    500: ("fault", _("A fault of the library’s own")),
    503: ("unavailable", _("Not available at the moment")),
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
    status : int
    path : str
        The address that was asked for, without its query, which may name people.
    code : str
        For programs, never renamed; unless given, that of the status.
    detail : str
        For people: what is wrong and how to mend it; unless given, the title.
    errors : sequence of mappings
        Of a request that is not valid, each fault's ``detail``, ``code`` and place: ``pointer`` (RFC 6901) in
        the body, or ``parameter`` of the address.
    extra : mapping
        The facts behind the sentence.

    Returns
    -------
    dict
    """
    usual, title = _KINDS.get(status) or (f"status_{status}", HTTPStatus(status).phrase)
    code = code or usual
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


def problem_response(*, headers: Mapping[str, str] | None = None, **what: Any) -> JsonResponse:
    """Return the answer where no view makes it; takes what `problem` takes, and headers."""
    document = problem(**what)
    return JsonResponse(document, status=what["status"], content_type=MEDIA_TYPE, headers=dict(headers or {}))
