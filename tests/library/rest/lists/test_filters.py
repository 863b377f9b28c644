import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from library.catalogue.api import BookViewSet
from library.rest.lists.filters import StableOrdering
from tests.logins import api, make_librarian
from tests.problems import errors_by_place


@pytest.mark.parametrize(
    ("query", "ordering"),
    [
        ("ordering=-year", ("-year", "pk")),
        ("ordering=year,title", ("year", "title", "pk")),
        # The model's own order applies, which ends in a unique field.
        ("ordering=description", None),
        ("", None),
    ],
)
def test_ties_are_ordered_by_primary_key(query, ordering):
    request = Request(APIRequestFactory().get(f"/?{query}"))
    assert StableOrdering().get_ordering(request, BookViewSet.queryset, BookViewSet()) == ordering


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("open=perhaps", "open"),
        ("overdue=1", "overdue"),
        (f"borrower={2**63}", "borrower"),
        ("book=-1e30", "book"),
        ("borrower=x", "borrower"),
        ("borrower=nan", "borrower"),
        ("borrowed_at_after=2024-01-01T00:00:00-17:00", "borrowed_at_after"),
        ("borrowed_at_before=9999-12-31T23:00:00-14:00", "borrowed_at_before"),
        ("page_size=x", "page_size"),
        ("page_size=0", "page_size"),
        ("page_size=\u00b2", "page_size"),
    ],
)
def test_invalid_filter_is_400(query, parameter):
    response = api(make_librarian()).get(f"/api/v1/loans/?{query}")
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, [parameter])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["open=true", "open=False", "open=", "borrower=9223372036854775807", "page_size=999"]
)
def test_valid_filter_is_200(query):
    assert api(make_librarian()).get(f"/api/v1/loans/?{query}").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", ["year_min", "year_max"])
def test_range_limit_that_fits_no_column_is_400(parameter):
    response = api(make_librarian()).get(f"/api/v1/books/?year_min=1&year_max=2&{parameter}={2**70}")
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, [parameter])
