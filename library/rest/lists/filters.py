"""Ordering that pages can rely on, and filters that a misspelt value does not switch off."""

from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from decimal import Decimal, InvalidOperation

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django_filters import BooleanFilter, Filter, IsoDateTimeFromToRangeFilter, NumberFilter, RangeFilter
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
    """Refuse what is neither true nor false, which would be no filter at all, and what no column can hold."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset  # filters are for lists; one row is found by its key, a tenth quicker
        filterset = self.get_filterset(request, queryset, view)
        faults = {
            place: [fault]
            for name, one in (filterset.filters.items() if filterset else ())
            for place, fault in _faults(name, one, request.query_params)
        }
        if faults:
            raise ValidationError(faults)
        return super().filter_queryset(request, queryset, view)


def _faults(name: str, one: Filter, asked: QueryDict) -> Iterator[tuple[str, str]]:
    """Yield which parameters of a filter are no filter, and why."""
    if isinstance(one, BooleanFilter) and asked.get(name, "").lower() not in ("", "true", "false"):
        yield name, _("It is true or false.")
    elif isinstance(one, IsoDateTimeFromToRangeFilter):
        for place in (f"{name}_after", f"{name}_before"):
            if _is_beyond_clocks(asked.get(place, "")):
                yield place, _("There is no such moment: look at the year and the time zone.")
    elif isinstance(one, NumberFilter | RangeFilter):
        for place in (name, f"{name}_min", f"{name}_max"):
            if _is_beyond_columns(asked.get(place, "")):
                yield place, _("The number is too large.")


def _is_beyond_columns(text: str) -> bool:
    """Return whether a number fits no column, for which some databases raise an error."""
    try:
        return abs(Decimal(text)) >= 2**63
    except InvalidOperation:
        return False


def _is_beyond_clocks(text: str) -> bool:
    """Return whether a moment lies before the first year, after the last, or further from UTC than any place.

    PostgreSQL takes less than 16 hours. What is no moment at all the filter itself refuses.
    """
    try:
        moment = parse_datetime(text)
    except ValueError:
        return False
    if moment is None:
        return False
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return True
    return abs(moment.utcoffset() or timedelta()) >= timedelta(hours=16)
