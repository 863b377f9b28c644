"""Cursor pagination for reading whole lists: the last page costs no more than the first."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.rest.lists.pages import NumberedPages


class CursorPages(CursorPagination):
    """Pages that start after the last row of the previous page, by a unique, indexed field.

    A view names that field in ``cursor_field``. With other fields, ties would have to be counted.
    """

    page_size = NumberedPages.page_size
    page_size_query_param = NumberedPages.page_size_query_param
    max_page_size = NumberedPages.max_page_size

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str]:
        field = view.cursor_field  # type: ignore[attr-defined]
        ordering = request.query_params.get("ordering", field)
        if ordering.removeprefix("-") != field:
            message = _("With pagination=cursor, ordering must be %(field)s or -%(field)s.") % {
                "field": field
            }
            raise ValidationError({"ordering": [message]})
        return (ordering,)

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        # No row has such a value, and PostgreSQL rejects NUL characters.
        if cursor is not None and "\0" in str(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class NumberedOrCursorPages(BasePagination):
    """Numbered pages with a count, or cursor pages with ``pagination=cursor``."""

    def __init__(self) -> None:
        self._pagination: NumberedPages | CursorPages = NumberedPages()

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        if uses_cursor(request):
            self._pagination = CursorPages()
        return self._pagination.paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        return self._pagination.get_paginated_response(data)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        response_schema = NumberedPages().get_paginated_response_schema(schema)
        response_schema["required"] = ["results"]
        response_schema["properties"]["count"]["description"] = (
            "The number of rows on all pages; not with `pagination=cursor`."
        )
        return response_schema

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        field = view.cursor_field
        return [
            *NumberedPages().get_schema_operation_parameters(view),
            {
                "name": "pagination",
                "in": "query",
                "schema": {"type": "string", "enum": ["page", "cursor"], "default": "page"},
                "description": "Use `cursor` to read a whole list: follow `next` until it is null. There "
                f"is no count, every page costs the same, and `ordering` is `{field}` or `-{field}`.",
            },
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "The position of a page, from `next` or `previous`.",
            },
        ]


def uses_cursor(request: Request) -> bool:
    """Return whether a request uses cursor pagination.

    Raises
    ------
    ValidationError
        If the kind of pagination is unknown.
    """
    pagination = request.query_params.get("pagination", "page")
    if pagination not in ("page", "cursor"):
        raise ValidationError({"pagination": [_("Must be page or cursor.")]})
    return pagination == "cursor" or "cursor" in request.query_params
