"""The statistics for programs: the numbers, what is refused and why, and CSV."""

import csv
import io

import pytest

from library.admin_site.roles import ANALYSTS, CLIENTS
from library.analytics.models import Statistics
from library.analytics.services.refresh import refresh_statistics
from tests.factories import NOW
from tests.library.analytics.histories import MOMENTS, Town
from tests.logins import api, make_user
from tests.problems import faults

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
    answer = analyst.get(f"{LOANS}&group_by=branch&interval=quarter&metrics=checkouts,late").json()
    assert answer["refreshed_at"] == NOW.isoformat().replace("+00:00", "Z")
    mine = [row for row in answer["results"] if row["group"]["key"] == town.branches[0].pk]
    assert [row["period"] for row in mine] == ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    assert sum(row["checkouts"] for row in answer["results"]) == 30
    assert {row["late"] for row in mine} == {0}
    assert "renewals" not in mine[0]


def test_the_filters_narrow(town, analyst):
    address = f"{LOANS}&interval=total&branch={town.branches[1].pk}&category={town.categories[1].pk}"
    (row,) = analyst.get(address).json()["results"]
    assert (row["period"], row["checkouts"]) == ("2024-01-01", 15)


def test_most_loaned_and_category_use(town, analyst):
    days = "from=2024-01-01&to=2024-12-31"
    answer = analyst.get(f"/api/v1/stats/most-loaned/?{days}&limit=1").json()
    assert answer["results"] == [
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
    assert uses[None]["never"] == 1


@pytest.mark.parametrize("asks", [{"QUERY_STRING": "&format=csv"}, {"HTTP_ACCEPT": "text/csv"}])
def test_csv_has_a_column_for_each_value(town, analyst, asks):
    address = f"{LOANS}&group_by=branch&interval=year" + asks.pop("QUERY_STRING", "")
    answer = analyst.get(address, **asks)
    assert answer["Content-Disposition"] == 'attachment; filename="loans.csv"'
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    heading, *rows = csv.reader(io.StringIO(text))
    assert heading == ["period", "group_key", "group_code", "group_name", "checkouts"]
    assert sorted(row[-1] for row in rows) == ["15", "15"]


@pytest.mark.parametrize(
    ("address", "field", "says"),
    [
        ("loans/?group_by=title", "group_by", '"title" is not a valid choice.'),
        ("loans/?interval=hour", "interval", '"hour" is not a valid choice.'),
        ("loans/?metrics=checkouts,fun", "metrics", "There is no metric fun."),
        ("loans/?from=1-1-2024", "from", "Date has wrong format."),
        ("loans/?from=2024-02-01&to=2024-01-01", "to", "The last day is before the first."),
        ("loans/?from=2000-01-01&interval=day", "interval", "That is too many days"),
        ("loans/?branch=999", "branch", 'Invalid pk "999"'),
        ("loans/?group=branch", "group", "There is no such parameter."),
        ("most-loaned/?limit=5000", "limit", "Ensure this value is less than or equal to 1000."),
        ("categories/?category=x", "category", "Incorrect type."),
    ],
)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_cannot_be_answered_says_where_and_why(analyst, address, field, says, form):
    answer = analyst.get(f"/api/v1/stats/{address}&format={form}")
    assert answer.status_code == 400
    assert says in str(faults(answer.json())[field])


def test_categories_of_borrowers_are_not_told_by_category_of_books(town, analyst):
    answer = analyst.get(f"{LOANS}&group_by=borrower_category&category={town.categories[0].pk}")
    assert answer.status_code == 400
    assert "are not counted by category of books" in answer.json()["detail"]


def test_before_anything_is_counted_there_is_no_time_and_nothing_is_claimed(analyst):
    answer = analyst.get("/api/v1/stats/loans/?interval=total").json()
    assert (answer["refreshed_at"], answer["results"][0]["checkouts"]) == (None, 0)
    assert not Statistics.objects.exists()


def test_who_may_not_see_statistics_is_refused_in_json_too(town):
    assert api().get(f"{LOANS}&format=csv").status_code == 401
    answer = api(make_user(CLIENTS)).get(f"{LOANS}&format=csv")
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
