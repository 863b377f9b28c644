"""The lists for nobody in particular, as people and programs see them."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from classifier.models import Listing
from classifier.selectors.listings import in_words, listed, reason
from library.admin_site.roles import ANALYSTS, CIRCULATION, CLIENTS
from library.catalogue.selectors.categories import with_those_below
from tests.classifier.factories import make_listing
from tests.factories import NOW, make_book, make_branch, make_category, make_copy
from tests.logins import api, desk, make_librarian, make_reader, make_user
from tests.problems import faults

pytestmark = pytest.mark.django_db
PAGE = "/admin/catalogue/book/lists/"
KINDS = ("popular", "trending", "latest", "treasure")
ADDRESSES = {kind: f"/api/v1/{kind}/" for kind in KINDS} | {"treasure": "/api/v1/treasures/"}


def books(rows):
    return [row.book for row in rows]


def listing(kind="popular", *, branch=None, status="available", counted_at=None, score=7, **fields):
    """A listed book with a copy at a branch."""
    book = make_copy(book=make_book(**fields), branch=branch, status=status).book
    make_listing(kind=kind, book=book, branch=counted_at, score=score)
    return book


def test_a_list_begins_with_the_highest_score_and_those_alike_follow_their_control_numbers():
    second = listing(control_number="B2")
    third = listing(control_number="B3")
    first = listing(control_number="B1")
    best = listing(control_number="B4", score=8)
    listing("trending", control_number="B0", score=9)
    assert books(listed(kind="popular")) == [best, first, second, third]
    assert books(listed(kind="popular")[1:3]) == [first, second]


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_brings_those_below_it_and_a_language_is_its_own(kind):
    top = make_category()
    child = make_category(parent=top)
    leaf = make_category(parent=child)
    on_top = listing(kind, control_number="B1", category=top, language="en")
    on_leaf = listing(kind, control_number="B2", category=leaf, language="zh")
    listing(kind, category=make_category(), language="en")
    listing(kind)
    assert books(listed(kind=kind, category=top.pk)) == [on_top, on_leaf]
    assert books(listed(kind=kind, category=child.pk)) == [on_leaf]
    assert books(listed(kind=kind, category=top.pk, language="en")) == [on_top]
    assert books(listed(kind=kind, language="de")) == []


def test_below_a_category_are_its_children_and_theirs():
    top, beside = make_category(), make_category()
    child = make_category(parent=top)
    leaf = make_category(parent=child)
    assert with_those_below(category=top.pk) == [top.pk, child.pk, leaf.pk]
    assert with_those_below(category=leaf.pk) == [leaf.pk]
    assert with_those_below(category=beside.pk) == [beside.pk]


@pytest.mark.parametrize("kind", ["popular", "trending"])
def test_what_is_lent_is_counted_at_each_branch(kind):
    here, there = make_branch(), make_branch()
    everywhere = listing(kind)
    locally = listing(kind, counted_at=here)
    assert books(listed(kind=kind)) == [everywhere]
    assert books(listed(kind=kind, branch=here.pk)) == [locally]
    assert books(listed(kind=kind, branch=there.pk)) == []


@pytest.mark.parametrize("kind", ["latest", "treasure"])
def test_what_is_new_or_a_treasure_has_a_copy_at_the_branch(kind):
    here, there = make_branch(), make_branch()
    local = listing(kind, branch=here)
    listing(kind, branch=there)
    for status in ("lost", "withdrawn"):
        listing(kind, branch=here, status=status)
    assert books(listed(kind=kind, branch=here.pk)) == [local]


def test_what_is_to_be_had_now_has_a_copy_on_the_shelf_of_the_branch():
    here, there = make_branch(), make_branch()
    on_shelf = listing(branch=here, counted_at=here, control_number="B1")
    on_loan = listing(branch=here, counted_at=here, status="on_loan", control_number="B2")
    make_copy(book=on_loan, branch=there)
    assert books(listed(kind="popular", branch=here.pk)) == [on_shelf, on_loan]
    assert books(listed(kind="popular", branch=here.pk, available=True)) == [on_shelf]
    assert books(listed(kind="popular", branch=there.pk, available=True)) == []


def test_a_treasure_that_was_lent_since_is_not_shown():
    book = listing("treasure")
    book.copies.update(status="on_loan")
    assert books(listed(kind="treasure")) == []


def test_the_reasons_are_true_sentences_in_english_and_chinese():
    branch = make_branch(name="Harbour")
    made = [
        make_listing(kind="popular"),
        make_listing(kind="popular", branch=branch),
        make_listing(kind="trending"),
        make_listing(kind="trending", branch=branch),
        make_listing(kind="latest", since=datetime(2024, 5, 3, 9, tzinfo=UTC)),
        make_listing(kind="treasure"),
    ]
    facts = [reason(row) for row in made]
    assert facts == [
        {"list": "popular", "times": 7},
        {"list": "popular", "branch": "Harbour", "times": 7},
        {"list": "trending", "times": 9, "expected": 2.2},
        {"list": "trending", "branch": "Harbour", "times": 9, "expected": 2.2},
        {"list": "latest", "since": datetime(2024, 5, 3).date()},
        {"list": "treasure", "times": 12},
    ]
    assert [in_words(row) for row in facts] == [
        "Borrowed at least 7 times in the last year",
        "Borrowed 7 times at Harbour in the last year",
        "Borrowed at least 9 times in the last 30 days; 2.2 were to be expected",
        "Borrowed 9 times at Harbour in the last 30 days; 2.2 were to be expected",
        "New since May 3, 2024",
        "Seldom borrowed, though titles like it are: at least 12 times a year on average",
    ]
    with translation.override("zh-hans"):
        words = [in_words(row) for row in facts]
    assert words[1] == "最近一年在Harbour借出 7 次"
    assert words[4] == "2024年5月3日 新到"
    assert len({*words, *map(in_words, facts)}) == 2 * len(facts)


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_tells_the_book_the_reason_and_the_facts(kind):
    book = listing(kind, title="Optics")
    answer = api(make_reader()).get(ADDRESSES[kind])
    (row,) = answer.json()["results"]
    assert (row["book"]["id"], row["book"]["title"]) == (book.pk, "Optics")
    there = Listing.objects.get()
    assert row["reason"] == in_words(reason(there))
    assert row["facts"]["list"] == kind
    assert row.keys() == {"book", "reason", "facts"}


def test_the_api_speaks_the_language_of_its_reader():
    listing()
    answer = api(make_reader()).get("/api/v1/popular/", headers={"Accept-Language": "zh-hans"})
    assert answer.json()["results"][0]["reason"] == "最近一年至少借出 7 次"


def test_the_api_narrows_a_list_and_cuts_it_into_pages():
    branch, category = make_branch(), make_category()
    wanted = [
        listing(control_number=f"B{n}", counted_at=branch, branch=branch, category=category, language="en").pk
        for n in range(3)
    ]
    listing(counted_at=branch, branch=branch, category=category, language="en", status="on_loan")
    listing(counted_at=branch, branch=branch, category=category, language="zh")
    listing(counted_at=branch, branch=branch, category=make_category(), language="en")
    listing(branch=branch, category=category, language="en")
    address = f"/api/v1/popular/?branch={branch.pk}&category={category.pk}&language=en&available=true"
    answer = api(make_reader()).get(f"{address}&page_size=2").json()
    assert answer["count"] == 3
    assert [row["book"]["id"] for row in answer["results"]] == wanted[:2]
    answer = api(make_user(CLIENTS)).get(f"{address}&page_size=2&page=2").json()
    assert [row["book"]["id"] for row in answer["results"]] == wanted[2:]


@pytest.mark.parametrize("query", ["branch=0", "category=0", "branch=x", "available=perhaps"])
def test_the_api_refuses_what_is_no_branch_category_or_answer(query):
    answer = api(make_reader()).get(f"/api/v1/latest/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(faults(answer.json())) == [query.partition("=")[0]]


def test_a_list_says_nothing_of_people_and_is_read_only():
    listing()
    client = api(make_reader())
    assert client.post("/api/v1/popular/").status_code == 403
    assert api().get("/api/v1/popular/").status_code == 401


def page(client, query=""):
    return client.get(f"{PAGE}{query}").content.decode()


def test_the_page_shows_the_four_lists_with_covers_and_reasons():
    for kind in KINDS:
        listing(
            kind, title=f"Of {kind}", cover="covers/a.png" if kind == "latest" else "", authors="A. Writer"
        )
    shown = page(desk(make_user(CIRCULATION)))
    for words in (
        "Popular", "Trending", "New titles", "Hidden treasures", *(f"Of {kind}" for kind in KINDS),
        "A. Writer", "Borrowed at least 7 times", "2.2 were to be expected", "New since June 1, 2024",
        "Seldom borrowed",
    ):  # fmt: skip
        assert words in shown, words
    assert shown.count("covers/a.png") == 1


def test_the_page_is_narrowed_by_its_address():
    branch, top = make_branch(), make_category(notation="500")
    category = make_category(parent=top)
    listing(title="Wanted", counted_at=branch, branch=branch, category=category, language="en")
    listing(title="Elsewhere", branch=branch, category=category, language="en")
    listing(title="Another", counted_at=branch, branch=branch, language="en")
    client = desk(make_librarian())
    shown = page(client, f"?branch={branch.pk}&category={top.pk}&language=en&available=on")
    assert "Wanted" in shown
    assert "Elsewhere" not in shown
    assert "Another" not in shown
    assert f'value="{branch.pk}" selected' in shown
    # A value that is none is said, and passed over.
    shown = page(client, "?branch=0&category=x")
    assert "Elsewhere" in shown
    assert "Select a valid choice" in shown


def test_an_empty_list_says_so():
    shown = page(desk(make_user(ANALYSTS)))
    for words in ("often enough to be told of", "to be expected", "first filled", "less than titles like it"):
        assert words in shown, words


def test_no_more_than_a_dozen_titles_of_a_list_are_on_the_page():
    for number in range(14):
        listing(title=f"Title no. {number:02}", score=100 - number)
    shown = page(desk(make_librarian()))
    assert "Title no. 11" in shown
    assert "Title no. 12" not in shown


def test_the_sidebar_leads_those_who_may_see_books_to_the_page():
    assert f'href="{PAGE}"' in desk(make_user(ANALYSTS)).get("/admin/").content.decode()
    nobody = User.objects.create_user("nobody", is_staff=True)
    assert f'href="{PAGE}"' not in desk(nobody).get("/admin/").content.decode()
    assert desk(nobody).get(PAGE).status_code == 403


def test_the_day_is_the_librarys(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    late = make_listing(kind="latest", since=NOW.replace(hour=20))
    assert reason(late)["since"] == datetime(2024, 6, 2).date()
