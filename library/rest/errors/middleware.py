"""Middleware that turns every error below /api/ into a problem document."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from library.rest.errors.problems import MEDIA_TYPE, problem_response

GetResponse = Callable[[HttpRequest], HttpResponseBase]

#: Headers that still hold when the body becomes a problem document.
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


class ProblemMiddleware:
    """Replace errors that Django raises outside the API views by problem documents.

    These are unknown paths, disallowed hosts and internal errors. Tracebacks go to the log only.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_api(request):
            return self.get_response(request)
        refusal = _refuse_large_body(request) or _refuse_missing_slash(request)
        if refusal:
            return refusal
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") == MEDIA_TYPE:
            return response
        headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
        return problem_response(status=response.status_code, path=request.path, headers=headers)


def _refuse_large_body(request: HttpRequest) -> HttpResponse | None:
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return problem_response(status=400, path=request.path, detail=_("Invalid Content-Length header."))
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length <= limit:
        return None
    detail = _("The request is %(length)s bytes long; the limit is %(most)s bytes.") % {
        "length": length,
        "most": limit,
    }
    return problem_response(status=413, path=request.path, detail=detail)


def _refuse_missing_slash(request: HttpRequest) -> HttpResponse | None:
    """Refuse writes to a path without a slash, because Django's redirect would lose the body."""
    if request.path.endswith("/") or request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    detail = _("The path must end with a slash.")
    return problem_response(status=404, path=request.path, detail=detail)
