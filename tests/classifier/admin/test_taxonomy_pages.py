"""Taxonomy changes in the admin and in the API."""

import re

import pytest

from classifier.services.taxonomy.changes import apply
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import Merge
from tests.classifier.factories import make_version
from tests.factories import NOW, make_book, make_category, make_taxonomy_change
from tests.logins import api, desk, make_librarian, make_user
from tests.problems import faults

pytestmark = pytest.mark.django_db

CHANGES = "/admin/catalogue/taxonomychange/"
API = "/api/v1/taxonomy-changes/"


@pytest.fixture
def pair():
    """Two categories, a with a book."""
    a, b = make_category(notation="a", label_en="Astronomy"), make_category(notation="b")
    make_book(control_number="x", title="Stars", category=a)
    return a, b


def page_of(category, kind):
    return f"/admin/catalogue/category/{category.pk}/{kind}/"


def seen_in(page):
    return re.search(r'name="seen" value="(\w+)"', page)[1]


def test_the_category_s_page_leads_to_all_four(pair):
    page = desk(make_librarian()).get(f"/admin/catalogue/category/{pair[0].pk}/change/").content.decode()
    for kind in ("merge", "split", "retire", "move"):
        assert page_of(pair[0], kind) in page


def test_a_merge_is_shown_first_and_then_done_and_undone(pair):
    a, b = pair
    make_version(
        state="active",
        metrics={"confusion": [[0, 0, 10], [0, 1, 10], [1, 1, 20]], "classes": ["local/a", "local/b"]},
    )
    client = desk(make_librarian())
    given = {"into": b.pk}
    page = client.post(page_of(a, "merge"), given | {"do": "preview"}).content.decode()
    assert "a Astronomy → b" in page
    assert 'aria-label="75.0% → 100.0%"' in page
    assert not TaxonomyChange.objects.exists()
    answer = client.post(page_of(a, "merge"), given | {"do": "apply", "seen": seen_in(page)}, follow=True)
    page = answer.content.decode()
    assert "1 book moved." in page
    assert "a Astronomy → b" in page
    change = TaxonomyChange.objects.get()
    assert (change.made_by.username, Book.objects.get().category) == ("librarian", b)
    page = client.post(f"{CHANGES}{change.pk}/undo/", follow=True).content.decode()
    assert f"Taxonomy change {change.pk} is undone." in page
    assert Book.objects.get().category == a
    again = client.post(f"{CHANGES}{change.pk}/undo/", follow=True).content.decode()
    assert f"Taxonomy change {change.pk} is undone already." in again


def test_what_was_not_shown_is_not_done(pair):
    a, b = pair
    client = desk(make_librarian())
    shown = client.post(page_of(a, "merge"), {"into": b.pk, "do": "preview"}).content.decode()
    other = make_category(notation="c")
    page = client.post(page_of(a, "merge"), {"into": other.pk, "do": "apply", "seen": seen_in(shown)})
    assert "a Astronomy → c" in page.content.decode()
    assert not TaxonomyChange.objects.exists()


def test_a_split_by_words_is_done_from_the_page(pair):
    a, _b = pair
    make_book(control_number="y", title="Soup", category=a)
    client = desk(make_librarian())
    given = {"rule": "words", "notation_1": "a.1", "label_en_1": "Stars", "words_1": "stars， comets"}
    page = client.post(page_of(a, "split"), given | {"do": "preview"}).content.decode()
    assert "a.1 Stars (new)" in page
    answer = client.post(page_of(a, "split"), given | {"do": "apply", "seen": seen_in(page)}, follow=True)
    page = answer.content.decode()
    assert "1 book was left where it is" in page
    assert f"/admin/catalogue/book/?category__id__exact={a.pk}" in page
    assert Category.objects.get(notation="a.1").books.get().control_number == "x"


def test_the_pages_say_why_a_change_cannot_be_made(pair):
    a, b = pair
    Category.objects.filter(pk=b.pk).update(parent=a)
    client = desk(make_librarian())
    for kind, given, words in (
        ("merge", {"into": a.pk}, "cannot be merged into itself"),
        ("retire", {"books_to": "parent"}, "has no category above it"),
        ("move", {"parent": b.pk}, "would stand above itself"),
        ("move", {}, "stands there already"),
        ("split", {"rule": "books", "notation_1": "a.1", "books_1": "z"}, "Not filed under a Astronomy: z"),
    ):
        assert words in client.post(page_of(a, kind), given | {"do": "apply"}).content.decode()
    assert not TaxonomyChange.objects.exists()


def test_a_retired_category_is_not_offered_and_says_what_took_its_place(pair):
    a, b = pair
    librarian = make_librarian()
    client = desk(librarian)
    apply(wish=Merge(sources=(a.pk,), into=b.pk), now=NOW)
    offered = client.get(
        "/admin/autocomplete/?app_label=catalogue&model_name=book&field_name=category&term="
    ).json()["results"]
    assert [row["text"] for row in offered] == ["b"]
    page = client.get(f"/admin/catalogue/category/{a.pk}/change/").content.decode()
    assert "→ b" in page
    assert page_of(a, "merge") not in page
    answer = api(librarian).patch(
        f"/api/v1/books/{Book.objects.get().pk}/", {"category": a.pk}, format="json"
    )
    assert answer.status_code == 400


def test_analysts_see_changes_and_no_button():
    make_taxonomy_change()
    page = desk(make_user(ANALYSTS)).get(CHANGES).content.decode()
    assert "row-button" not in page


def test_the_pages_speak_chinese(pair):
    a, b = pair
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.post(page_of(a, "merge"), {"into": b.pk, "do": "preview"}).content.decode()
    for words in ("合并…", "移动的图书", "没有启用的模型版本", "一次完成，可以撤销。"):
        assert words in page


def test_the_api_previews_applies_lists_and_undoes(pair):
    a, b = pair
    client = api(make_librarian())
    wish = {"kind": "merge", "sources": [a.pk], "into": b.pk}
    found = client.post(f"{API}preview/", wish, format="json").json()
    assert (found["books"]["moved"], found["words"]) == (1, "a Astronomy → b")
    answer = client.post(f"{API}apply/", wish, format="json")
    assert (answer.status_code, answer.json()["books"], answer.json()["made_by"]) == (201, 1, "librarian")
    again = client.post(f"{API}apply/", wish, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "taxonomy_conflict_error")
    (row,) = client.get(f"{API}?undone_at__isnull=true").json()["results"]
    (gone,) = client.get("/api/v1/categories/?retired_at__isnull=false").json()["results"]
    assert (gone["id"], gone["replaced_by"]) == (a.pk, b.pk)
    assert client.post(f"{API}{row['id']}/undo/").json()["kept"] == 0
    assert client.post(f"{API}{row['id']}/undo/").status_code == 409


def test_the_api_says_what_is_missing_and_splits_retires_and_moves(pair):
    a, b = pair
    client = api(make_librarian())
    answer = client.post(f"{API}apply/", {"kind": "merge"}, format="json")
    assert faults(answer.json()).keys() == {"/sources", "/into"}
    child = {"notation": "a.1", "books": ["x"]}
    for wish in (
        {"kind": "split", "category": a.pk, "children": [child]},
        {"kind": "move", "category": b.pk, "parent": a.pk},
        {"kind": "retire", "category": b.pk},
    ):
        assert client.post(f"{API}apply/", wish, format="json").status_code == 201
    b.refresh_from_db()
    assert (Book.objects.get().category.notation, b.replaced_by) == ("a.1", a)
