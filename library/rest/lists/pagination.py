"""Pages that follow one another, for whoever reads a whole list: the last costs what the first did."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.rest.lists.pages import Pages


class Cursors(CursorPagination):
    """Pages that start behind the last row of the one before, found by a unique, indexed field.

    A view names that field in ``cursor_field``. By any other one, rows that tie would have to be counted off.
    """

    page_size = Pages.page_size
    page_size_query_param = Pages.page_size_query_param
    max_page_size = Pages.max_page_size

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str]:
        field = view.cursor_field  # type: ignore[attr-defined]
        wanted = request.query_params.get("ordering", field)
        if wanted.removeprefix("-") != field:
            message = _("With pagination=cursor only %(field)s and -%(field)s.") % {"field": field}
            raise ValidationError({"ordering": [message]})
        return (wanted,)

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        # No row has such a value, and PostgreSQL would not hear of it.
        if cursor is not None and "\0" in str(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class PagesOrCursors(BasePagination):
    """Numbered pages with a count, or with ``pagination=cursor`` pages that follow one another."""

    def __init__(self) -> None:
        self._chosen: Pages | Cursors = Pages()

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        if follows(request):
            self._chosen = Cursors()
        return self._chosen.paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        return self._chosen.get_paginated_response(data)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = Pages().get_paginated_response_schema(schema)
        described["required"] = ["results"]
        described["properties"]["count"]["description"] = "Of all pages; not with `pagination=cursor`."
        return described

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        field = view.cursor_field
        return [
            *Pages().get_schema_operation_parameters(view),
            {
                "name": "pagination",
                "in": "query",
                "schema": {"type": "string", "enum": ["page", "cursor"], "default": "page"},
                "description": "`cursor`: for reading a whole list. Follow `next` until it is null; there "
                f"is no count, each page costs the same, and `ordering` is `{field}` or `-{field}`.",
            },
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "As it stands in `next` and `previous`.",
            },
        ]


def follows(request: Request) -> bool:
    """Return whether a request asks for pages that follow one another.

    Raises
    ------
    ValidationError
        If it asks for pages that there are not.
    """
    wanted = request.query_params.get("pagination", "page")
    if wanted not in ("page", "cursor"):
        raise ValidationError({"pagination": [_("Choose page or cursor.")]})
    return wanted == "cursor" or "cursor" in request.query_params
