"""The pages: what they show, in which language, as CSV and on paper, and what they say of wrong filters."""

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
ADDRESSES = [OVERVIEW if name == "overview" else f"{OVERVIEW}{name}/" for name in PAGES]
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


def records(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("language", "says"), [("en", "Loans and holdings are counted up to"), ("zh-hans", "统计截至")]
)
def test_every_page_is_there_on_screen_and_paper_in_both_languages(language, says, town, analyst):
    queries = (DAYS, DAYS + "&print=1", f"?category={town.categories[0].pk}&branch={town.branches[0].pk}")
    for address in (address + query for address in ADDRESSES for query in queries):
        answer = analyst.get(address, headers={"accept-language": language})
        assert answer.status_code == 200, address
        assert says in answer.content.decode(), address


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_says_what_it_is_and_comes_as_csv_with_the_filters_kept(page, town, analyst):
    address = OVERVIEW if page == "overview" else f"{OVERVIEW}{page}/"
    answer = analyst.get(address + DAYS)
    figures = answer.context["figures"]
    assert [figure.name for figure in figures] == list(PAGES[page].figures)
    for figure in figures:
        assert figure.title
        assert len(figure.definition) > 30
        assert "start=2024-01-01" in figure.csv
        assert len(records(analyst.get(figure.csv))) >= 1


def test_the_table_the_drawing_and_the_csv_have_the_same_numbers(town, analyst):
    answer = analyst.get(f"{OVERVIEW}{DAYS}&interval=year")
    loans = answer.context["figures"][0]
    assert loans.drawing["series"][0]["values"] == [30]
    assert loans.rows == [("2024", ["30", "0", "30"])]
    heading, *rows = records(analyst.get(loans.csv))
    assert heading == ["Period", "Checkouts", "Renewals", "Checkins"]
    assert rows == [["2024-01-01", "30", "0", "30"]]


def test_what_is_chosen_counts_and_stands_in_the_fields(town, analyst):
    branch = town.branches[0]
    answer = analyst.get(f"{OVERVIEW}{DAYS}&interval=year&branch={branch.pk}")
    assert answer.context["figures"][0].rows == [("2024", ["15", "0", "30"])]
    page = answer.content.decode()
    assert 'value="2024-01-01"' in page
    assert f'<option value="{branch.pk}" selected>' in page


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?start=2024-02-01&end=2024-01-01", "The last day is before the first."),
        ("?start=nonsense", "Enter a valid date."),
        ("?branch=x", "Select a valid choice."),
        ("?category=999999", "Select a valid choice."),
        ("?interval=hour", "Select a valid choice."),
        ("?start=2000-01-01&end=2024-01-01&interval=day", "That is too many days to show one by one"),
    ],
)
def test_a_filter_that_cannot_be_used_is_passed_over_and_said(query, says, analyst):
    answer = analyst.get(OVERVIEW + query)
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert len(answer.context["figures"]) == 5


def test_what_is_not_counted_by_category_says_so(town, analyst):
    answer = analyst.get(f"{OVERVIEW}?category={town.categories[0].pk}")
    assert [figure.name for figure in answer.context["figures"]] == ["loans", "categories", "branches"]
    assert "are not counted by category of books" in answer.content.decode()
    answer = analyst.get(f"{OVERVIEW}?category={town.categories[0].pk}&csv=item-types")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert "are not counted by category of books" in answer.content.decode()


def test_before_anything_is_counted_the_page_says_how_to(analyst):
    assert "manage.py refresh_statistics" in analyst.get(OVERVIEW).content.decode()


def test_a_figure_that_is_not_there_is_not_found(analyst):
    assert analyst.get(f"{OVERVIEW}?csv=nothing").status_code == 404
    assert analyst.post(OVERVIEW).status_code == 405


def test_the_sidebar_shows_the_pages_to_those_who_may_see_them(analyst):
    assert f'href="{OVERVIEW}forecast/"' in analyst.get("/admin/").content.decode()
    assert OVERVIEW not in desk(make_user(CIRCULATION)).get("/admin/").content.decode()
