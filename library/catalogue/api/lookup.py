"""The search parameter of lists whose rows are about titles, copies or borrowers."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import SearchFilter
from rest_framework.request import Request

from library.catalogue.selectors.lookup import filter_by_lookup
from library.rest.lists.filters import StableOrdering, StrictFilters


class LookupFilter(SearchFilter):
    """Search with `filter_by_lookup` and the ``lookups`` of the view."""

    search_description = (
        "Matches the titles, copies or borrowers of the rows: the 500 best matches of the catalogue's "
        "search, and barcodes and card numbers by prefix."
    )

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = " ".join(self.get_search_terms(request))  # raises an error for invalid text
        return filter_by_lookup(rows=queryset, text=text, lookups=view.lookups)


#: The filters of lists with lookups, instead of the default ones.
FILTERS = [StrictFilters, LookupFilter, StableOrdering]
