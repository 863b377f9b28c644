"""Highlights in the admin and in the API."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from classifier.models import Listing
from classifier.selectors.listings import listed_titles, reason, reason_text
from library.admin_site.roles import ANALYSTS, CIRCULATION, CLIENTS
from library.catalogue.selectors.categories import descendants
from tests.classifier.factories import make_listing
from tests.factories import NOW, make_book, make_branch, make_category, make_copy
from tests.logins import api, desk, make_librarian, make_user, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db
PAGE = "/admin/catalogue/book/lists/"
KINDS = ("popular", "trending", "latest", "hidden_gem")
URLS = {kind: f"/api/v1/{kind}/" for kind in KINDS} | {"hidden_gem": "/api/v1/hidden-gems/"}


def books(rows):
    return [row.book for row in rows]


def listing(kind="popular", *, branch=None, status="available", counted_at=None, score=7, **fields):
    """A listed book with a copy at a branch."""
    book = make_copy(book=make_book(**fields), branch=branch, status=status).book
    make_listing(kind=kind, book=book, branch=counted_at, score=score)
    return book


def test_order_is_score_then_control_number():
    second = listing(control_number="B2")
    third = listing(control_number="B3")
    first = listing(control_number="B1")
    best = listing(control_number="B4", score=8)
    listing("trending", control_number="B0", score=9)
    assert books(listed_titles(kind="popular")) == [best, first, second, third]
    assert books(listed_titles(kind="popular")[1:3]) == [first, second]


@pytest.mark.parametrize("kind", KINDS)
def test_category_filter_includes_descendants(kind):
    top = make_category()
    child = make_category(parent=top)
    leaf = make_category(parent=child)
    on_top = listing(kind, control_number="B1", category=top, language="en")
    on_leaf = listing(kind, control_number="B2", category=leaf, language="zh")
    listing(kind, category=make_category(), language="en")
    listing(kind)
    assert books(listed_titles(kind=kind, category=top.pk)) == [on_top, on_leaf]
    assert books(listed_titles(kind=kind, category=child.pk)) == [on_leaf]
    assert books(listed_titles(kind=kind, category=top.pk, language="en")) == [on_top]
    assert books(listed_titles(kind=kind, language="de")) == []


def test_descendants_of_category():
    top, beside = make_category(), make_category()
    child = make_category(parent=top)
    leaf = make_category(parent=child)
    assert descendants(category=top.pk) == [top.pk, child.pk, leaf.pk]
    assert descendants(category=leaf.pk) == [leaf.pk]
    assert descendants(category=beside.pk) == [beside.pk]


@pytest.mark.parametrize("kind", ["popular", "trending"])
def test_popular_and_trending_are_per_branch(kind):
    here, there = make_branch(), make_branch()
    everywhere = listing(kind)
    locally = listing(kind, counted_at=here)
    assert books(listed_titles(kind=kind)) == [everywhere]
    assert books(listed_titles(kind=kind, branch=here.pk)) == [locally]
    assert books(listed_titles(kind=kind, branch=there.pk)) == []


@pytest.mark.parametrize("kind", ["latest", "hidden_gem"])
def test_new_titles_and_hidden_gems_need_a_copy_at_the_branch(kind):
    here, there = make_branch(), make_branch()
    local = listing(kind, branch=here)
    listing(kind, branch=there)
    for status in ("lost", "withdrawn"):
        listing(kind, branch=here, status=status)
    assert books(listed_titles(kind=kind, branch=here.pk)) == [local]


def test_available_filter_needs_available_copy_at_branch():
    here, there = make_branch(), make_branch()
    on_shelf = listing(branch=here, counted_at=here, control_number="B1")
    on_loan = listing(branch=here, counted_at=here, status="on_loan", control_number="B2")
    make_copy(book=on_loan, branch=there)
    assert books(listed_titles(kind="popular", branch=here.pk)) == [on_shelf, on_loan]
    assert books(listed_titles(kind="popular", branch=here.pk, available=True)) == [on_shelf]
    assert books(listed_titles(kind="popular", branch=there.pk, available=True)) == []


def test_checked_out_hidden_gem_is_not_listed():
    book = listing("hidden_gem")
    book.copies.update(status="on_loan")
    assert books(listed_titles(kind="hidden_gem")) == []


def test_reason_texts():
    branch = make_branch(name="Harbour")
    listings = [
        make_listing(kind="popular"),
        make_listing(kind="popular", branch=branch),
        make_listing(kind="trending"),
        make_listing(kind="trending", branch=branch),
        make_listing(kind="latest", since=datetime(2024, 5, 3, 9, tzinfo=UTC)),
        make_listing(kind="hidden_gem"),
    ]
    facts = [reason(row) for row in listings]
    assert facts == [
        {"list": "popular", "loans": 7},
        {"list": "popular", "branch": "Harbour", "loans": 7},
        {"list": "trending", "loans": 9, "expected": 2.2},
        {"list": "trending", "branch": "Harbour", "loans": 9, "expected": 2.2},
        {"list": "latest", "since": datetime(2024, 5, 3).date()},
        {"list": "hidden_gem", "loans": 12},
    ]
    assert [reason_text(row) for row in facts] == [
        "Borrowed 7+ times in the last year",
        "Borrowed 7 times at Harbour in the last year",
        "Borrowed 9+ times in the last 30 days; 2.2 expected",
        "Borrowed 9 times at Harbour in the last 30 days; 2.2 expected",
        "Added on May 3, 2024",
        "Rarely borrowed, although similar titles go out 12+ times a year",
    ]
    with translation.override("zh-hans"):
        texts = [reason_text(row) for row in facts]
    assert texts[1] == "最近一年在Harbour借出 7 次"
    assert texts[4] == "2024年5月3日 入藏"
    assert len({*texts, *map(reason_text, facts)}) == 2 * len(facts)


@pytest.mark.parametrize("kind", KINDS)
def test_api_returns_book_reason_and_facts(kind):
    book = listing(kind, title="Optics")
    response = api(make_user_without_permissions()).get(URLS[kind])
    (row,) = response.json()["results"]
    assert (row["book"]["id"], row["book"]["title"]) == (book.pk, "Optics")
    assert row["reason"] == reason_text(reason(Listing.objects.get()))
    assert row["facts"]["list"] == kind
    assert row.keys() == {"book", "reason", "facts"}


def test_api_reason_is_localised():
    listing()
    response = api(make_user_without_permissions()).get(
        "/api/v1/popular/", headers={"Accept-Language": "zh-hans"}
    )
    assert response.json()["results"][0]["reason"] == "最近一年至少借出 7 次"


def test_api_filters_and_paginates():
    branch, category = make_branch(), make_category()
    expected = [
        listing(control_number=f"B{n}", counted_at=branch, branch=branch, category=category, language="en").pk
        for n in range(3)
    ]
    listing(counted_at=branch, branch=branch, category=category, language="en", status="on_loan")
    listing(counted_at=branch, branch=branch, category=category, language="zh")
    listing(counted_at=branch, branch=branch, category=make_category(), language="en")
    listing(branch=branch, category=category, language="en")
    url = f"/api/v1/popular/?branch={branch.pk}&category={category.pk}&language=en&available=true"
    response = api(make_user_without_permissions()).get(f"{url}&page_size=2").json()
    assert response["count"] == 3
    assert [row["book"]["id"] for row in response["results"]] == expected[:2]
    response = api(make_user(CLIENTS)).get(f"{url}&page_size=2&page=2").json()
    assert [row["book"]["id"] for row in response["results"]] == expected[2:]


@pytest.mark.parametrize("query", ["branch=0", "category=0", "branch=x", "available=perhaps"])
def test_api_invalid_filter_is_400(query):
    response = api(make_user_without_permissions()).get(f"/api/v1/latest/?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert list(errors_by_place(response.json())) == [query.partition("=")[0]]


def test_api_is_read_only():
    listing()
    client = api(make_user_without_permissions())
    assert client.post("/api/v1/popular/").status_code == 403
    assert api().get("/api/v1/popular/").status_code == 401


def page(client, query=""):
    return client.get(f"{PAGE}{query}").content.decode()


def test_page_shows_four_lists():
    for kind in KINDS:
        listing(
            kind, title=f"Of {kind}", cover="covers/a.png" if kind == "latest" else "", authors="A. Writer"
        )
    html = page(desk(make_user(CIRCULATION)))
    for text in (
        "Popular", "Trending", "New titles", "Hidden gems", *(f"Of {kind}" for kind in KINDS),
        "A. Writer", "Borrowed 7+ times", "2.2 expected", "Added on June 1, 2024", "Rarely borrowed",
    ):  # fmt: skip
        assert text in html, text
    assert html.count("covers/a.png") == 1


def test_page_filters():
    branch, top = make_branch(), make_category(notation="500")
    category = make_category(parent=top)
    listing(title="Wanted", counted_at=branch, branch=branch, category=category, language="en")
    listing(title="Elsewhere", branch=branch, category=category, language="en")
    listing(title="Another", counted_at=branch, branch=branch, language="en")
    client = desk(make_librarian())
    html = page(client, f"?branch={branch.pk}&category={top.pk}&language=en&available=on")
    assert "Wanted" in html
    assert "Elsewhere" not in html
    assert "Another" not in html
    assert f'value="{branch.pk}" selected' in html
    # Invalid values are html and ignored.
    html = page(client, "?branch=0&category=x")
    assert "Elsewhere" in html
    assert "Select a valid choice" in html


def test_empty_lists_have_a_text():
    html = page(desk(make_user(ANALYSTS)))
    for text in ("No popular titles yet.", "Nothing is trending", "No new titles yet.", "No hidden gems"):
        assert text in html, text


def test_page_shows_twelve_titles_per_list():
    for number in range(14):
        listing(title=f"Title no. {number:02}", score=100 - number)
    html = page(desk(make_librarian()))
    assert "Title no. 11" in html
    assert "Title no. 12" not in html


def test_sidebar_link_needs_view_permission():
    assert f'href="{PAGE}"' in desk(make_user(ANALYSTS)).get("/admin/").content.decode()
    nobody = User.objects.create_user("nobody", is_staff=True)
    assert f'href="{PAGE}"' not in desk(nobody).get("/admin/").content.decode()
    assert desk(nobody).get(PAGE).status_code == 403


def test_added_date_is_in_library_time_zone(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    late = make_listing(kind="latest", since=NOW.replace(hour=20))
    assert reason(late)["since"] == datetime(2024, 6, 2).date()
