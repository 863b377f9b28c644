"""Turn exceptions raised by API views into problem documents."""

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from library.errors import ConflictError, LibraryError
from library.rest.errors.problems import MEDIA_TYPE, RETRY_AFTER, problem

logger = logging.getLogger(__name__)


class ParameterError(ValidationError):
    """An invalid query parameter of a request that may have a body too."""


#: Error codes after which a retry may succeed: the database is busy, missing or unreachable, has no free
#: connection, or resolved a deadlock. https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")
_UNAVAILABLE_POSTGRESQL = ("08", "40", "53", "55P03", "57P")


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an exception raised in an API view.

    Parameters
    ----------
    context
        The view, its arguments and the request, as REST framework passes them.

    Returns
    -------
    Response or None
        400 with ``errors`` for invalid values, 400 for a `LibraryError`, 409 for a `ConflictError`
        and for a constraint violated because of a concurrent request, 413 for a body that is too large, 503
        if the database is unavailable, REST framework's own status for its own errors. None for anything
        else: a bug, which becomes a 500.
    """
    request = context["request"]
    default_response = exception_handler(error, context)
    described = _describe(error, has_body=request.method not in ("GET", "HEAD", "OPTIONS"))
    if described is None:
        if default_response is None:
            return None
        described = (
            default_response.status_code,
            _describe_api_exception(error, default_response.data["detail"]),
        )
    set_rollback()
    status, fields = described
    headers = dict(default_response.headers) if default_response else {}
    headers.pop("Content-Type", None)
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER))
    # Problems are JSON whatever renderer the view would have used, as the schema has its own.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    document = problem(status=status, path=request.path, **fields)
    return Response(document, status=status, headers=headers, content_type=MEDIA_TYPE)


def _describe(error: Exception, *, has_body: bool) -> tuple[int, dict[str, Any]] | None:
    """Return the status and the fields of the problem for the library's and the database's errors."""
    if isinstance(error, LibraryError):
        code = _code(type(error).__name__)
        status = 409 if isinstance(error, ConflictError) else 400
        return status, {"code": code, "detail": error.message, "extra": error.extra}
    if isinstance(error, ValidationError):
        is_query = isinstance(error, ParameterError) or not has_body
        errors = list(_field_errors(error.detail, is_query=is_query))
        return 400, {"detail": _("Some values are not valid. See “errors” for details."), "errors": errors}
    if isinstance(error, IntegrityError):
        # Serializers check the constraints first, so this is a race or a bug. The log names the constraint.
        logger.warning("A write violated a constraint", exc_info=error)
        detail = _(
            "Another change was saved first, so this one could not be applied. Read the record "
            "again and retry."
        )
        return 409, {"detail": detail}
    if isinstance(error, RequestDataTooBig):
        return 413, {}
    if is_unavailable(error):
        logger.error("The database is unavailable", exc_info=error)
        return 503, database_unavailable()
    return None


def _code(name: str) -> str:
    """Return the problem code of an error class: ``NotAssignedError`` is ``not_assigned``."""
    code = camel_case_to_spaces(name).replace(" ", "_")
    shorter = code.removesuffix("_error")
    return shorter if "_" in shorter else code  # one word, as in ``review_error``, would say too little


def _describe_api_exception(error: Exception, detail: Any) -> dict[str, Any]:
    """Return the fields of the problem for REST framework's own errors."""
    return {
        "code": getattr(detail, "code", ""),
        "detail": detail,
        "extra": getattr(error, "extra", None),
    }


def database_unavailable() -> dict[str, str]:
    """Return the code and the detail of the problem."""
    return {
        "code": "database_unavailable",
        "detail": _("The database is not responding. Try again in a moment."),
    }


def is_unavailable(error: Exception) -> bool:
    """Return whether an error means that the database is unreachable or too busy at the moment."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    cause: Any = error.__cause__
    if name := getattr(cause, "sqlite_errorname", ""):
        return name.startswith(_UNAVAILABLE_SQLITE)
    # No code means that there was no connection to receive one.
    code = getattr(cause, "pgcode", None)
    return code is None or code.startswith(_UNAVAILABLE_POSTGRESQL)


def _field_errors(detail: Any, *, is_query: bool, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield REST framework's errors of each field with their places."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            # Errors of an object or a list as a whole have the container's place.
            is_container = name == "non_field_errors"
            place = pointer if is_container else f"{pointer}/{_escape(str(name))}"
            yield from _field_errors(below, is_query=is_query, pointer=place)
    elif isinstance(detail, list):
        for number, below in enumerate(detail):
            place = f"{pointer}/{number}" if isinstance(below, dict | list) else pointer
            yield from _field_errors(below, is_query=is_query, pointer=place)
    else:
        location = {"parameter": pointer.removeprefix("/")} if is_query else {"pointer": pointer}
        yield {"detail": str(detail), "code": getattr(detail, "code", "invalid"), **location}


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
