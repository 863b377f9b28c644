"""The category tree: descendants, and the tree in the API."""

import pytest

from library.catalogue.api.categories import MAX_LEVELS
from library.catalogue.models import Category
from library.catalogue.selectors.categories import descendants
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_category
from tests.logins import api, make_user_without_permissions

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
def get_json():
    client = api(make_user_without_permissions())

    def get(url):
        response = client.get(f"{CATEGORIES}{url}")
        assert response.status_code == 200, response.content
        return response.json()

    return get


def shown(node):
    return node["notation"], node["books"], node["books_below"], [shown(child) for child in node["children"]]


def test_tree_is_nested_and_counts_books(science, get_json):
    expected = ("500", 1, 6, [("510", 0, 0, []), ("530", 2, 5, [("535", 3, 3, [])])])
    assert [shown(node) for node in get_json("tree/")] == [("O", 0, 0, []), expected]
    assert [shown(node) for node in get_json("tree/?scheme=local")] == [expected]
    assert get_json("tree/?scheme=none") == []


@both_databases
def test_descendants_are_found_at_any_depth(database, django_assert_num_queries):
    top, other = make_category(), make_category(scheme="clc")
    path = [top]
    for _ in range(5):
        path.append(make_category(parent=path[-1]))
    sibling = make_category(parent=top, retired_at=NOW)
    with django_assert_num_queries(1):
        assert descendants(category=top.pk) == sorted(category.pk for category in [*path, sibling])
    assert descendants(category=path[4].pk) == [path[4].pk, path[5].pk]
    assert descendants(category=other.pk) == [other.pk]
    assert [category.pk for category in Category.tree.ancestors(path[5])] == [c.pk for c in path[:5]]


def test_node_has_the_category_fields(science, get_json):
    (node,) = [node for node in get_json("tree/") if node["notation"] == "500"]
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


def test_children_and_ancestors(science, get_json):
    (physics,) = [node for node in get_json(f"{science.pk}/children/") if node["notation"] == "530"]
    assert (physics["books"], physics["books_below"], "children" in physics) == (2, 5, False)
    (optics,) = get_json(f"{physics['id']}/children/")
    assert [node["notation"] for node in get_json(f"{optics['id']}/ancestors/")] == ["500", "530"]
    assert get_json(f"{optics['id']}/children/") == []
    assert get_json(f"{science.pk}/ancestors/") == []


@pytest.mark.parametrize("of", ["children", "ancestors"])
def test_missing_or_retired_category_is_404(of):
    gone = make_category(retired_at=NOW)
    client = api(make_user_without_permissions())
    for key in (gone.pk, gone.pk + 1, "x", "9" * 40):
        assert client.get(f"{CATEGORIES}{key}/{of}/").status_code == 404


def test_children_of_a_retired_category_are_roots(get_json):
    gone = make_category(retired_at=NOW)
    make_category(notation="1", parent=gone)
    assert [node["notation"] for node in get_json("tree/")] == ["1"]


def test_deep_tree_is_cut_but_counts_all_books(get_json):
    category = top = make_category()
    for _ in range(MAX_LEVELS + 10):
        category = make_category(parent=category)
    make_book(category=category)
    (node,) = get_json("tree/")
    assert (node["id"], node["books_below"]) == (top.pk, 1)
    levels = 1
    while node["children"]:
        (node,) = node["children"]
        levels += 1
    assert levels == MAX_LEVELS
    assert len(get_json(f"{node['id']}/children/")) == 1
