"""Categories as a tree in the API."""

import pytest

from library.catalogue.api.categories import MOST_LEVELS
from tests.factories import NOW, make_book, make_category
from tests.logins import api, make_reader

pytestmark = pytest.mark.django_db

CATEGORIES = "/api/v1/categories/"


@pytest.fixture
def science():
    science = make_category(notation="500", label_en="Science")
    physics = make_category(notation="530", label_zh="物理学", parent=science)
    optics = make_category(notation="535", parent=physics)
    make_category(notation="510", parent=science)
    make_category(notation="539", parent=physics, retired_at=NOW)
    make_category(notation="O", scheme="clc")
    for category, books in ((science, 1), (physics, 2), (optics, 3)):
        for _ in range(books):
            make_book(category=category)
    make_book()
    return science


@pytest.fixture
def asked():
    client = api(make_reader())

    def ask(address):
        answer = client.get(f"{CATEGORIES}{address}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


def shown(node):
    return node["notation"], node["books"], node["books_below"], [shown(child) for child in node["children"]]


def test_the_tree_is_nested_and_counts_books(science, asked):
    expected = ("500", 1, 6, [("510", 0, 0, []), ("530", 2, 5, [("535", 3, 3, [])])])
    assert [shown(node) for node in asked("tree/")] == [("O", 0, 0, []), expected]
    assert [shown(node) for node in asked("tree/?scheme=local")] == [expected]
    assert asked("tree/?scheme=none") == []


def test_a_node_says_what_it_is(science, asked):
    (node,) = [node for node in asked("tree/") if node["notation"] == "500"]
    del node["children"]
    assert node == {
        "id": science.pk,
        "scheme": "local",
        "notation": "500",
        "label_en": "Science",
        "label_zh": "",
        "parent": None,
        "books": 1,
        "books_below": 6,
    }


def test_children_and_ancestors_of_one(science, asked):
    (physics,) = [node for node in asked(f"{science.pk}/children/") if node["notation"] == "530"]
    assert (physics["books"], physics["books_below"], "children" in physics) == (2, 5, False)
    (optics,) = asked(f"{physics['id']}/children/")
    assert [node["notation"] for node in asked(f"{optics['id']}/ancestors/")] == ["500", "530"]
    assert asked(f"{optics['id']}/children/") == []
    assert asked(f"{science.pk}/ancestors/") == []


@pytest.mark.parametrize("of", ["children", "ancestors"])
def test_one_that_is_not_there_or_retired_has_no_place(of):
    gone = make_category(retired_at=NOW)
    client = api(make_reader())
    for key in (gone.pk, gone.pk + 1, "x", "9" * 40):
        assert client.get(f"{CATEGORIES}{key}/{of}/").status_code == 404


def test_below_a_retired_one_the_tree_begins_anew(asked):
    gone = make_category(retired_at=NOW)
    make_category(notation="1", parent=gone)
    assert [node["notation"] for node in asked("tree/")] == ["1"]


def test_a_tree_that_is_much_too_deep_is_cut_and_its_books_counted(asked):
    category = top = make_category()
    for _ in range(MOST_LEVELS + 10):
        category = make_category(parent=category)
    make_book(category=category)
    (node,) = asked("tree/")
    assert (node["id"], node["books_below"]) == (top.pk, 1)
    levels = 1
    while node["children"]:
        (node,) = node["children"]
        levels += 1
    assert levels == MOST_LEVELS
    assert len(asked(f"{node['id']}/children/")) == 1
