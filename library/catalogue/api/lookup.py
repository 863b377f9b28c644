"""The search of lists whose rows are about titles, copies or borrowers."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import SearchFilter
from rest_framework.request import Request

from library.catalogue.selectors.lookup import rows_about
from library.rest.lists.filters import StableOrdering, StrictFilters


class FoundBy(SearchFilter):
    """Search as `rows_about` does, by what the view names in ``found_by``."""

    search_description = (
        "What the rows are about: titles as the catalogue's search finds them, the 500 that fit best; copies "
        "and borrowers by how their barcodes and card numbers begin."
    )

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = " ".join(self.get_search_terms(request))  # which refuses what no text is
        return rows_about(rows=queryset, text=text, found_by=view.found_by)


#: In the place of the filters that lists have otherwise.
FILTERS = [StrictFilters, FoundBy, StableOrdering]
