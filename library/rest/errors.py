"""One shape for every error of the API: ``code`` for programs, ``detail`` for people."""

import logging
from typing import Any

from django.db import IntegrityError
from django.utils.text import camel_case_to_spaces
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from library.errors import ConflictError, LibraryError

logger = logging.getLogger(__name__)


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
        400 with ``errors`` by field for values that are not valid, 400 for a `LibraryError`, 409 for a
        `ConflictError` and for a constraint that another request made true first, REST framework's own
        status for its own errors; None for anything else: a bug, answered with 500.
    """
    if isinstance(error, LibraryError):
        set_rollback()
        code = camel_case_to_spaces(type(error).__name__).replace(" ", "_")
        data = {"code": code, "detail": error.message, "extra": error.extra}
        conflict = isinstance(error, ConflictError)
        return Response(data, status=status.HTTP_409_CONFLICT if conflict else status.HTTP_400_BAD_REQUEST)
    if isinstance(error, IntegrityError):
        # Serializers check the constraints first: only a race comes here, or a bug, which the log names.
        logger.warning("A write broke a constraint", exc_info=error)
        set_rollback()
        detail = _("Another change came first, and this one no longer fits. Read the record again.")
        return Response({"code": "conflict", "detail": detail}, status=status.HTTP_409_CONFLICT)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        response.data = {
            "code": "invalid",
            "detail": _("Some values are not valid: see errors."),
            "errors": response.data,
        }
    else:
        response.data["code"] = response.data["detail"].code
    return response
