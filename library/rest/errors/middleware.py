"""What stands before all endpoints."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from library.rest.errors.problems import MEDIA_TYPE, problem_response

Answer = Callable[[HttpRequest], HttpResponseBase]

#: Headers of an answer that still hold when its body becomes a problem document.
_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


class Problems:
    """Let every error below /api/ be a problem document, also where Django answers before or after a view.

    So are unknown addresses, a host that is not served, and faults, whose traceback is for the log alone.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_api(request):
            return self.get_response(request)
        refused = _too_large(request) or _without_slash(request)
        if refused:
            return refused
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") == MEDIA_TYPE:
            return response
        kept = {name: response[name] for name in _KEPT if name in response}
        return problem_response(status=response.status_code, path=request.path, headers=kept)


def _too_large(request: HttpRequest) -> HttpResponse | None:
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return problem_response(status=400, path=request.path, detail=_("Content-Length is no number."))
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length <= most:
        return None
    detail = _("The request has %(length)s bytes; %(most)s are the most.") % {"length": length, "most": most}
    return problem_response(status=413, path=request.path, detail=detail)


def _without_slash(request: HttpRequest) -> HttpResponse | None:
    """Django redirects to the address with a slash, which is of no use to a request with a body."""
    if request.path.endswith("/") or request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    detail = _("Every address ends with a slash.")
    return problem_response(status=404, path=request.path, detail=detail)
