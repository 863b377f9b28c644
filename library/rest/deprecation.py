"""Endpoints that will go, announced by the headers of their answers."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Any

from django.urls import reverse
from django.utils.http import http_date
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

Method = Callable[..., Response]


def deprecated(*, since: date, sunset: date, instead: str) -> Callable[[Method], Method]:
    """Mark a method of a view as one not to use any more.

    Parameters
    ----------
    since : date
        From when on it should not be used (RFC 9745, ``Deprecation``).
    sunset : date
        When it will answer no more (RFC 8594, ``Sunset``).
    instead : str
        The address to use instead.

    Returns
    -------
    callable
        The decorator; the schema names the method as deprecated too.
    """
    headers = {
        "Deprecation": f"@{_seconds(since)}",
        "Sunset": http_date(_seconds(sunset)),
    }

    def decorate(method: Method) -> Method:
        @extend_schema(deprecated=True)
        @wraps(method)
        def announced(*args: Any, **kwargs: Any) -> Response:
            response = method(*args, **kwargs)
            links = f'<{instead}>; rel="successor-version", <{reverse("api-docs")}>; rel="deprecation"'
            for name, value in headers.items():
                response[name] = value
            response["Link"] = links
            return response

        return announced

    return decorate


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time.min, tzinfo=UTC).timestamp())
