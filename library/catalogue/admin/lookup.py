"""Base of the admin pages whose rows are searched by titles, copies or borrowers."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from library.catalogue.selectors.lookup import Lookup, filter_by_lookup


class LookupAdmin(ModelAdmin):
    """A list with the search of `filter_by_lookup`; subclasses set `lookups`."""

    lookups: ClassVar[Mapping[str, Lookup]]
    search_fields = ["pk"]  # any field makes the search box appear

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Base classes are called too: they may log searches.
        queryset, _duplicates = super().get_search_results(request, queryset, "")
        return filter_by_lookup(rows=queryset, text=search_term, lookups=self.lookups), False
