"""Category changes in the admin and in the API."""

import re

import pytest

from classifier.services.taxonomy.changes import apply
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import Merge
from tests.classifier.factories import make_version
from tests.factories import NOW, make_book, make_category, make_taxonomy_change
from tests.logins import api, desk, make_librarian, make_user
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

CHANGES = "/admin/catalogue/taxonomychange/"
API = "/api/v1/taxonomy-changes/"


@pytest.fixture
def pair():
    """Two categories; the first has a book."""
    a, b = make_category(notation="a", label_en="Astronomy"), make_category(notation="b")
    make_book(control_number="x", title="Stars", category=a)
    return a, b


def form_url(category, kind):
    return f"/admin/catalogue/category/{category.pk}/{kind}/"


def previewed_in(page):
    return re.search(r'name="previewed" value="(\w+)"', page)[1]


def test_category_page_links_to_changes(pair):
    page = desk(make_librarian()).get(f"/admin/catalogue/category/{pair[0].pk}/change/").content.decode()
    for kind in ("merge", "split", "retire", "move"):
        assert form_url(pair[0], kind) in page


def test_merge_is_previewed_applied_and_undone(pair):
    a, b = pair
    make_version(
        state="active",
        metrics={"confusion": [[0, 0, 10], [0, 1, 10], [1, 1, 20]], "classes": ["local/a", "local/b"]},
    )
    client = desk(make_librarian())
    data = {"into": b.pk}
    page = client.post(form_url(a, "merge"), data | {"action": "preview"}).content.decode()
    assert "a Astronomy → b" in page
    assert 'aria-label="75.0% → 100.0%"' in page
    assert not TaxonomyChange.objects.exists()
    response = client.post(
        form_url(a, "merge"), data | {"action": "apply", "previewed": previewed_in(page)}, follow=True
    )
    page = response.content.decode()
    assert "1 book moved." in page
    assert "a Astronomy → b" in page
    change = TaxonomyChange.objects.get()
    assert (change.created_by.username, Book.objects.get().category) == ("librarian", b)
    page = client.post(f"{CHANGES}{change.pk}/undo/", follow=True).content.decode()
    assert f"{change} was undone." in page
    assert Book.objects.get().category == a
    again = client.post(f"{CHANGES}{change.pk}/undo/", follow=True).content.decode()
    assert f"{change} is already undone" in again


def test_change_without_preview_is_not_applied(pair):
    a, b = pair
    client = desk(make_librarian())
    shown = client.post(form_url(a, "merge"), {"into": b.pk, "action": "preview"}).content.decode()
    other = make_category(notation="c")
    page = client.post(
        form_url(a, "merge"), {"into": other.pk, "action": "apply", "previewed": previewed_in(shown)}
    )
    assert "a Astronomy → c" in page.content.decode()
    assert not TaxonomyChange.objects.exists()


def test_split_by_words(pair):
    a, _b = pair
    make_book(control_number="y", title="Soup", category=a)
    client = desk(make_librarian())
    data = {"rule": "words", "notation_1": "a.1", "label_en_1": "Stars", "words_1": "stars， comets"}
    page = client.post(form_url(a, "split"), data | {"action": "preview"}).content.decode()
    assert "a.1 Stars (new)" in page
    response = client.post(
        form_url(a, "split"), data | {"action": "apply", "previewed": previewed_in(page)}, follow=True
    )
    page = response.content.decode()
    assert "1 book was not moved. Review it." in page
    assert f"/admin/catalogue/book/?category__id__exact={a.pk}" in page
    assert Category.objects.get(notation="a.1").books.get().control_number == "x"


def test_refused_changes_show_reasons(pair):
    a, b = pair
    Category.objects.filter(pk=b.pk).update(parent=a)
    client = desk(make_librarian())
    for kind, data, text in (
        ("merge", {"into": a.pk}, "cannot be merged into itself"),
        ("retire", {"books_to": "parent"}, "has no parent category"),
        ("move", {"parent": b.pk}, "would create a loop"),
        ("move", {}, "is already there"),
        (
            "split",
            {"rule": "books", "notation_1": "a.1", "books_1": "z"},
            "Books not filed under a Astronomy: z",
        ),
    ):
        assert text in client.post(form_url(a, kind), data | {"action": "apply"}).content.decode()
    assert not TaxonomyChange.objects.exists()


def test_retired_category_is_not_offered(pair):
    a, b = pair
    librarian = make_librarian()
    client = desk(librarian)
    apply(change_request=Merge(sources=(a.pk,), into=b.pk), now=NOW)
    offered = client.get(
        "/admin/autocomplete/?app_label=catalogue&model_name=book&field_name=category&term="
    ).json()["results"]
    assert [row["text"] for row in offered] == ["b"]
    page = client.get(f"/admin/catalogue/category/{a.pk}/change/").content.decode()
    assert "→ b" in page
    assert form_url(a, "merge") not in page
    response = api(librarian).patch(
        f"/api/v1/books/{Book.objects.get().pk}/", {"category": a.pk}, format="json"
    )
    assert response.status_code == 400


def test_analysts_see_no_buttons():
    make_taxonomy_change()
    page = desk(make_user(ANALYSTS)).get(CHANGES).content.decode()
    assert "row-button" not in page


def test_pages_in_chinese(pair):
    a, b = pair
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.post(form_url(a, "merge"), {"into": b.pk, "action": "preview"}).content.decode()
    for text in ("合并…", "将移动的图书", "没有使用中的模型版本", "变更将整体应用，并可撤销。"):
        assert text in page


def test_api_previews_applies_and_undoes(pair):
    a, b = pair
    client = api(make_librarian())
    change_request = {"kind": "merge", "sources": [a.pk], "into": b.pk}
    preview = client.post(f"{API}preview/", change_request, format="json").json()
    assert (preview["books"]["moved"], preview["summary"]) == (1, "a Astronomy → b")
    response = client.post(f"{API}apply/", change_request, format="json")
    assert (response.status_code, response.json()["books"], response.json()["created_by"]) == (
        201,
        1,
        "librarian",
    )
    again = client.post(f"{API}apply/", change_request, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "taxonomy_conflict")
    (row,) = client.get(f"{API}?undone_at__isnull=true").json()["results"]
    (retired,) = client.get("/api/v1/categories/?retired_at__isnull=false").json()["results"]
    assert (retired["id"], retired["replaced_by"]) == (a.pk, b.pk)
    assert client.post(f"{API}{row['id']}/undo/").json()["kept"] == 0
    assert client.post(f"{API}{row['id']}/undo/").status_code == 409


def test_api_splits_retires_and_moves(pair):
    a, b = pair
    client = api(make_librarian())
    response = client.post(f"{API}apply/", {"kind": "merge"}, format="json")
    assert errors_by_place(response.json()).keys() == {"/sources", "/into"}
    child = {"notation": "a.1", "books": ["x"]}
    for change_request in (
        {"kind": "split", "category": a.pk, "children": [child]},
        {"kind": "move", "category": b.pk, "parent": a.pk},
        {"kind": "retire", "category": b.pk},
    ):
        assert client.post(f"{API}apply/", change_request, format="json").status_code == 201
    b.refresh_from_db()
    assert (Book.objects.get().category.notation, b.replaced_by) == ("a.1", a)
