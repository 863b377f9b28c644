import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from library.catalogue.api import BookViewSet
from library.rest.filters import StableOrdering


@pytest.mark.parametrize(
    ("query", "ordering"),
    [
        ("ordering=-year", ("-year", "pk")),
        ("ordering=year,title", ("year", "title", "pk")),
        # Then the model's own order stands, which ends in a unique field.
        ("ordering=description", None),
        ("", None),
    ],
)
def test_rows_that_tie_are_ordered_by_their_key(query, ordering):
    request = Request(APIRequestFactory().get(f"/?{query}"))
    assert StableOrdering().get_ordering(request, BookViewSet.queryset, BookViewSet()) == ordering
