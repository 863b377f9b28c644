"""Ordering that pages can rely on."""

from collections.abc import Sequence

from django.db.models import QuerySet
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView


class StableOrdering(OrderingFilter):
    """End every ordering with the key: rows that tie would otherwise repeat or go missing between pages."""

    def get_ordering(self, request: Request, queryset: QuerySet, view: APIView) -> Sequence[str] | None:
        ordering = super().get_ordering(request, queryset, view)
        return (*ordering, "pk") if ordering else ordering
