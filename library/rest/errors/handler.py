"""What a view raises becomes a problem document: ``code`` for programs, ``detail`` for people."""

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
    """A parameter of the address is not valid; only a GET has nothing else that could be."""


#: What SQLite and PostgreSQL say when another moment may do: busy, no file, no connection, no room for one,
#: a deadlock that this one lost. https://www.postgresql.org/docs/current/errcodes-appendix.html
_AWAY_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")
_AWAY_POSTGRESQL = ("08", "40", "53", "55P03", "57P")


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception raised in an API view.

    Parameters
    ----------
    error : Exception
        What the view raised.
    context : dict
        The view, its arguments and the request, as REST framework passes them.

    Returns
    -------
    Response or None
        400 with ``errors`` for values that are not valid, 400 for a `LibraryError`, 409 for a `ConflictError`
        and for a constraint that another request made true first, 413 for a body that is too large, 503 where
        the database is away, REST framework's own status for its own errors; None for anything else: a bug,
        answered with 500.
    """
    request = context["request"]
    answered = exception_handler(error, context)
    what = _described(error, has_body=request.method not in ("GET", "HEAD", "OPTIONS"))
    if what is None:
        if answered is None:
            return None
        what = answered.status_code, _told(error, answered.data["detail"])
    set_rollback()
    status, told = what
    headers = dict(answered.headers) if answered else {}
    headers.pop("Content-Type", None)
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER))
    # Whatever form the answer would have had, as the schema has its own.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    document = problem(status=status, path=request.path, **told)
    return Response(document, status=status, headers=headers, content_type=MEDIA_TYPE)


def _described(error: Exception, *, has_body: bool) -> tuple[int, dict[str, Any]] | None:
    """Return the status and what else to tell of an error of our own or of the database's."""
    if isinstance(error, LibraryError):
        code = camel_case_to_spaces(type(error).__name__).replace(" ", "_")
        status = 409 if isinstance(error, ConflictError) else 400
        return status, {"code": code, "detail": error.message, "extra": error.extra}
    if isinstance(error, ValidationError):
        is_query = isinstance(error, ParameterError) or not has_body
        errors = list(_faults(error.detail, is_query=is_query))
        return 400, {"detail": _("Some values are not valid: see errors."), "errors": errors}
    if isinstance(error, IntegrityError):
        # Serializers check the constraints first: only a race comes here, or a bug, which the log names.
        logger.warning("A write broke a constraint", exc_info=error)
        detail = _("Another change came first, and this one no longer fits. Read the record again.")
        return 409, {"detail": detail}
    if isinstance(error, RequestDataTooBig):
        return 413, {}
    if is_away(error):
        logger.error("The database is away", exc_info=error)
        return 503, {"code": "database_away", "detail": database_away()}
    return None


def _told(error: Exception, detail: Any) -> dict[str, Any]:
    """Return what REST framework tells of its own errors."""
    return {
        "code": getattr(detail, "code", ""),
        "detail": detail,
        "extra": getattr(error, "extra", None),
    }


def database_away() -> str:
    return _("The database does not answer. Ask again in a moment.")


def is_away(error: Exception) -> bool:
    """Return whether an error says that the database cannot be reached, or is too busy, at the moment."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    cause: Any = error.__cause__
    if name := getattr(cause, "sqlite_errorname", ""):
        return name.startswith(_AWAY_SQLITE)
    # Without a code there was no connection to get one by.
    code = getattr(cause, "pgcode", None)
    return code is None or code.startswith(_AWAY_POSTGRESQL)


def _faults(detail: Any, *, is_query: bool, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield what REST framework says of each field, with its place."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            # Faults of the whole, or of a list as a whole, are the container's own.
            own = name == "non_field_errors"
            deeper = pointer if own else f"{pointer}/{_escaped(str(name))}"
            yield from _faults(below, is_query=is_query, pointer=deeper)
    elif isinstance(detail, list):
        for number, below in enumerate(detail):
            deeper = f"{pointer}/{number}" if isinstance(below, dict | list) else pointer
            yield from _faults(below, is_query=is_query, pointer=deeper)
    else:
        place = {"parameter": pointer.removeprefix("/")} if is_query else {"pointer": pointer}
        yield {"detail": str(detail), "code": getattr(detail, "code", "invalid"), **place}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
