"""How lists are cut into pages."""

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """Pages of 50 unless asked; 200 at most, so that no request can ask for the whole catalogue."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
