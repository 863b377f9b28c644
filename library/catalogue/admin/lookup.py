"""What admin pages share that are searched by what their rows are about."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from library.catalogue.selectors.lookup import Finder, rows_about


class FindingAdmin(ModelAdmin):
    """A list whose rows are found as `rows_about` finds them.

    Attributes
    ----------
    found_by : mapping of str to callable
        See `rows_about`.
    """

    found_by: ClassVar[Mapping[str, Finder]]
    search_fields = ["pk"]  # shows the search box

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # What is above is asked, too: it may be written down who searches.
        queryset, _duplicates = super().get_search_results(request, queryset, "")
        return rows_about(rows=queryset, text=search_term, found_by=self.found_by), False
