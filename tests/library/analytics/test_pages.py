"""Statistics pages: content, languages, CSV, printing and invalid filters."""

import csv
import io

import pytest

from library.admin_site.roles import ANALYSTS, CIRCULATION
from library.analytics.figures.registry import PAGES
from library.analytics.services.refresh import refresh_statistics
from tests.factories import NOW
from tests.library.analytics.histories import MOMENTS, Town
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db

OVERVIEW = "/admin/analytics/statistics/"
URLS = [OVERVIEW if name == "overview" else f"{OVERVIEW}{name}/" for name in PAGES]
DAYS = "?start=2024-01-01&end=2024-12-31"


@pytest.fixture
def town():
    town = Town()
    for number, moment in enumerate(MOMENTS):
        town.record("checkout", moment, number % 2, number % 2, 0, False)
        town.record("checkin", moment, 0, 0, 1, number % 3 == 0)
    refresh_statistics(now=NOW)
    return town


@pytest.fixture
def analyst():
    return desk(make_user(ANALYSTS))


def records(response):
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize(("language", "message"), [("en", "Updated "), ("zh-hans", "更新于")])
def test_every_page_in_both_languages_and_for_printing(language, message, town, analyst):
    queries = (DAYS, DAYS + "&print=1", f"?category={town.categories[0].pk}&branch={town.branches[0].pk}")
    for url in (url + query for url in URLS for query in queries):
        response = analyst.get(url, headers={"accept-language": language})
        assert response.status_code == 200, url
        assert message in response.content.decode(), url


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_has_a_definition_and_filtered_csv(page, town, analyst):
    url = OVERVIEW if page == "overview" else f"{OVERVIEW}{page}/"
    response = analyst.get(url + DAYS)
    figures = response.context["figures"]
    assert [figure.name for figure in figures] == list(PAGES[page].figures)
    for figure in figures:
        assert figure.title
        assert len(figure.definition) > 20
        assert "start=2024-01-01" in figure.csv
        assert len(records(analyst.get(figure.csv))) >= 1


def test_chart_table_and_csv_agree(town, analyst):
    response = analyst.get(f"{OVERVIEW}{DAYS}&interval=year")
    loans = response.context["figures"][0]
    assert loans.data["series"][0]["values"] == [30]
    assert loans.rows == [("2024", ["30", "0", "30"])]
    heading, *rows = records(analyst.get(loans.csv))
    assert heading == ["Period", "Checkouts", "Renewals", "Checkins"]
    assert rows == [["2024-01-01", "30", "0", "30"]]


def test_filters_apply_and_stay_in_the_form(town, analyst):
    branch = town.branches[0]
    response = analyst.get(f"{OVERVIEW}{DAYS}&interval=year&branch={branch.pk}")
    assert response.context["figures"][0].rows == [("2024", ["15", "0", "30"])]
    page = response.content.decode()
    assert 'value="2024-01-01"' in page
    assert f'<option value="{branch.pk}" selected>' in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?start=2024-02-01&end=2024-01-01", "The end date must not be before the start date."),
        ("?start=nonsense", "Enter a valid date."),
        ("?branch=x", "Select a valid choice."),
        ("?category=999999", "Select a valid choice."),
        ("?interval=hour", "Select a valid choice."),
        ("?start=2000-01-01&end=2024-01-01&interval=day", "Too many days for daily figures."),
    ],
)
def test_invalid_filter_is_ignored_with_an_error(query, message, analyst):
    response = analyst.get(OVERVIEW + query)
    assert response.status_code == 200
    assert message in response.content.decode()
    assert len(response.context["figures"]) == 5


def test_unsupported_grouping_is_explained(town, analyst):
    response = analyst.get(f"{OVERVIEW}?category={town.categories[0].pk}")
    assert [figure.name for figure in response.context["figures"]] == ["loans", "categories", "branches"]
    assert "cannot be broken down by book category" in response.content.decode()
    response = analyst.get(f"{OVERVIEW}?category={town.categories[0].pk}&csv=item-types")
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert "cannot be broken down by book category" in response.content.decode()


def test_page_before_first_refresh(analyst):
    assert "manage.py refresh_statistics" in analyst.get(OVERVIEW).content.decode()


def test_unknown_figure_is_404(analyst):
    assert analyst.get(f"{OVERVIEW}?csv=nothing").status_code == 404
    assert analyst.post(OVERVIEW).status_code == 405


def test_sidebar_needs_permission(analyst):
    assert f'href="{OVERVIEW}forecast/"' in analyst.get("/admin/").content.decode()
    assert OVERVIEW not in desk(make_user(CIRCULATION)).get("/admin/").content.decode()
