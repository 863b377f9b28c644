"""Pagination by page numbers."""

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class NumberedPages(PageNumberPagination):
    """Pages of 50 by default and 200 at most, so that no request can read the whole catalogue."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int | None:
        size = request.query_params.get("page_size", "1")
        if not (size.isascii() and size.isdigit() and int(size[:9]) > 0):
            raise ValidationError({"page_size": [_("Must be a whole number greater than 0.")]})
        return super().get_page_size(request)
