"""Statistics API: numbers, validation errors and CSV."""

import csv
import io

import pytest

from library.admin_site.roles import ANALYSTS, CLIENTS
from library.analytics.models import Statistics
from library.analytics.services.refresh import refresh_statistics
from tests.factories import NOW
from tests.library.analytics.histories import MOMENTS, Town
from tests.logins import api, make_user
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

LOANS = "/api/v1/stats/loans/?from=2024-01-01&to=2024-12-31"


@pytest.fixture
def town():
    town = Town()
    for number, moment in enumerate(MOMENTS):
        town.record("checkout", moment, number % 2, number % 2, 0, False)
    refresh_statistics(now=NOW)
    return town


@pytest.fixture
def analyst():
    return api(make_user(ANALYSTS))


def test_loans_by_branch_and_quarter(town, analyst):
    response = analyst.get(f"{LOANS}&group_by=branch&interval=quarter&metrics=checkouts,late").json()
    assert response["refreshed_at"] == NOW.isoformat().replace("+00:00", "Z")
    rows = [row for row in response["results"] if row["group"]["key"] == town.branches[0].pk]
    assert [row["period"] for row in rows] == ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    assert sum(row["checkouts"] for row in response["results"]) == 30
    assert {row["late"] for row in rows} == {0}
    assert "renewals" not in rows[0]


def test_filters_narrow_the_counts(town, analyst):
    url = f"{LOANS}&interval=total&branch={town.branches[1].pk}&category={town.categories[1].pk}"
    (row,) = analyst.get(url).json()["results"]
    assert (row["period"], row["checkouts"]) == ("2024-01-01", 15)


def test_most_borrowed_and_category_use(town, analyst):
    days = "from=2024-01-01&to=2024-12-31"
    response = analyst.get(f"/api/v1/stats/most-borrowed/?{days}&limit=1").json()
    assert response["results"] == [
        {
            "book": {
                "id": town.books[0].pk,
                "control_number": town.books[0].control_number,
                "title": town.books[0].title,
                "authors": "",
            },
            "checkouts": 15,
        }
    ]
    uses = {
        row["group"]["key"]: row for row in analyst.get(f"/api/v1/stats/categories/?{days}").json()["results"]
    }
    assert uses[town.categories[0].pk]["turnover"] == 7.5
    assert uses[None]["never_borrowed"] == 1


@pytest.mark.parametrize("request_options", [{"QUERY_STRING": "&format=csv"}, {"HTTP_ACCEPT": "text/csv"}])
def test_csv_has_a_column_for_each_value(town, analyst, request_options):
    url = f"{LOANS}&group_by=branch&interval=year" + request_options.pop("QUERY_STRING", "")
    response = analyst.get(url, **request_options)
    assert response["Content-Disposition"] == 'attachment; filename="loans.csv"'
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    heading, *rows = csv.reader(io.StringIO(text))
    assert heading == ["period", "group_key", "group_code", "group_name", "checkouts"]
    assert sorted(row[-1] for row in rows) == ["15", "15"]


@pytest.mark.parametrize(
    ("url", "field", "message"),
    [
        ("loans/?group_by=title", "group_by", '"title" is not a valid choice.'),
        ("loans/?interval=hour", "interval", '"hour" is not a valid choice.'),
        ("loans/?metrics=checkouts,fun", "metrics", "Unknown metric: fun."),
        ("loans/?from=1-1-2024", "from", "Date has wrong format."),
        ("loans/?from=2024-02-01&to=2024-01-01", "to", "The end date must not be before the start date."),
        ("loans/?from=2000-01-01&interval=day", "interval", "Too many days for daily figures."),
        ("loans/?branch=999", "branch", 'Invalid pk "999"'),
        ("loans/?group=branch", "group", "Unknown parameter."),
        ("most-borrowed/?limit=5000", "limit", "Ensure this value is less than or equal to 1000."),
        ("categories/?category=x", "category", "Incorrect type."),
    ],
)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_invalid_parameter_is_400(analyst, url, field, message, form):
    response = analyst.get(f"/api/v1/stats/{url}&format={form}")
    assert response.status_code == 400
    assert message in str(errors_by_place(response.json())[field])


def test_borrower_category_with_book_category_is_400(town, analyst):
    response = analyst.get(f"{LOANS}&group_by=borrower_category&category={town.categories[0].pk}")
    assert response.status_code == 400
    assert "cannot be broken down by book category" in response.json()["detail"]


def test_counts_are_zero_before_first_refresh(analyst):
    response = analyst.get("/api/v1/stats/loans/?interval=total").json()
    assert (response["refreshed_at"], response["results"][0]["checkouts"]) == (None, 0)
    assert not Statistics.objects.exists()


def test_refusal_is_json_even_for_csv(town):
    assert api().get(f"{LOANS}&format=csv").status_code == 401
    response = api(make_user(CLIENTS)).get(f"{LOANS}&format=csv")
    assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
