"""Merging, splitting, retiring and moving categories."""

import pytest

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.selectors.categories import category_ids, replacements
from library.catalogue.services import CategoryRetiredError, check_open
from library.catalogue.services.taxonomy.changes import apply
from library.catalogue.services.taxonomy.planning import plan
from library.catalogue.services.taxonomy.requests import (
    Child,
    Merge,
    Move,
    Retire,
    Split,
    TaxonomyConflictError,
    TaxonomyError,
)
from tests.factories import NOW, make_book, make_category
from tests.library.catalogue.services.schemes import filed, snapshot

pytestmark = pytest.mark.django_db


def test_merge_moves_books_and_keeps_the_category(physics):
    into = make_category(notation="500")
    change = apply(change_request=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    assert (change.kind, change.category, change.books) == ("merge", into, 3)
    assert set(into.books.values_list("control_number", "category_source")) == {
        ("librarian", "librarian"), ("imported", "imported"), ("model", "model"),
    }  # fmt: skip
    physics.refresh_from_db()
    assert (physics.retired_at, physics.replaced_by) == (NOW, into)
    assert Category.objects.get(notation="535").parent == into


def test_merging_an_ancestor_takes_its_place(physics):
    top = make_category(notation="5")
    Category.objects.filter(pk=physics.pk).update(parent=top)
    between = Category.objects.get(notation="535")
    below = make_category(notation="535.2", parent=between)
    apply(change_request=Merge(sources=(physics.pk,), into=below.pk), now=NOW)
    below.refresh_from_db()
    between.refresh_from_db()
    assert (below.parent, between.parent) == (top, below)


@pytest.mark.parametrize(
    ("books_to", "category", "source", "replaced"),
    [("parent", "530", "librarian", "530"), ("unfiled", None, "none", None)],
)
def test_books_of_a_retired_category_are_refiled(physics, books_to, category, source, replaced):
    optics = Category.objects.get(notation="535")
    below = make_category(notation="535.2", parent=optics)
    apply(change_request=Retire(category=optics.pk, books_to=books_to), now=NOW)
    book = Book.objects.get(control_number="lens")
    assert (filed()["lens"], book.category_source) == (category, source)
    optics.refresh_from_db()
    below.refresh_from_db()
    assert getattr(optics.replaced_by, "notation", None) == replaced
    assert below.parent == physics


def test_move_keeps_books_and_refuses_a_circle(physics):
    optics, top = Category.objects.get(notation="535"), make_category(notation="5")
    with pytest.raises(TaxonomyError, match="Cannot move 530 under 535, because this would create a loop"):
        apply(change_request=Move(category=physics.pk, parent=optics.pk), now=NOW)
    before = filed()
    apply(change_request=Move(category=physics.pk, parent=top.pk), now=NOW)
    physics.refresh_from_db()
    assert physics.parent == top
    assert filed() == before


def test_split_by_list_moves_listed_books_only(physics):
    existing = make_category(notation="537", parent=None)
    children = (
        Child(notation="530.1", label_en="Waves", books=("model",)),
        Child(notation="537", label_en="not taken", books=("imported",)),
    )
    change = apply(change_request=Split(category=physics.pk, children=children), now=NOW)
    new = Category.objects.get(notation="530.1")
    existing.refresh_from_db()
    assert (new.parent, new.label_en, existing.parent, existing.label_en) == (physics, "Waves", None, "")
    assert (change.books, change.undecided, change.created_categories) == (2, 1, [new.pk])
    assert (filed()["model"], filed()["imported"], filed()["librarian"]) == ("530.1", "537", "530")
    assert set(new.books.values_list("category_source", flat=True)) == {"librarian"}


def test_split_by_words_counts_whole_words():
    category = make_category(notation="641")
    titles = {"a": "Soup and bread", "b": "Breadth of vision", "c": "Cake or soup", "d": "家常菜谱大全"}
    for number, title in titles.items():
        make_book(control_number=number, title=title, category=category, category_source="imported")
    children = (
        Child(notation="641.8", words=("soup", "Bread")),
        Child(notation="641.9", words=("cake", "菜谱")),
    )
    change = apply(change_request=Split(category=category.pk, children=children, rule="words"), now=NOW)
    assert filed() == {"a": "641.8", "b": "641", "c": "641", "d": "641.9"}
    assert set(Book.objects.values_list("category_source", flat=True)) == {"imported"}
    assert plan(
        change_request=Split(category=category.pk, children=children, rule="words"), now=NOW
    ).undecided == [
        "b",
        "c",
    ]
    assert change.undecided == 2


def test_split_by_text_sets_source_model(physics):
    children = (Child(notation="1", books=("librarian",)), Child(notation="2", books=("imported",)))
    calls = []

    def text_classifier(texts, labels):
        calls.append((list(texts), list(labels)))
        return [child if child >= 0 else 1 for child in labels]

    change_request = Split(category=physics.pk, children=children, rule="nearest")
    with pytest.raises(TaxonomyError, match="Choose another rule"):
        apply(change_request=change_request, now=NOW)
    apply(change_request=change_request, now=NOW, text_classifier=text_classifier)
    assert calls == [(["Waves imported", "Waves librarian", "Waves model"], [1, 0, -1])]
    rows = dict(Book.objects.values_list("control_number", "category_source"))
    assert rows == {"librarian": "librarian", "imported": "librarian", "model": "model", "lens": "librarian"}


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ((), "Too few target categories"),
        ((Child(notation="", books=("model",)),), "needs a notation"),
        ((Child(notation="530", books=("model",)),), "used more than once"),
        ((Child(notation="1"),), "at least one book for 1"),
        ((Child(notation="1", books=("lens", "nowhere")),), "Books not filed under 530: lens, nowhere"),
        (
            (Child(notation="1", books=("model",)), Child(notation="2", books=("model",))),
            "Books listed for more than one category: model",
        ),
    ],
)
def test_invalid_split_is_refused(physics, children, message):
    before = snapshot()
    with pytest.raises(TaxonomyError, match=message):
        apply(change_request=Split(category=physics.pk, children=children), now=NOW)
    assert snapshot() == before
    assert not TaxonomyChange.objects.exists()


def test_retired_category_takes_no_changes_and_no_books(physics):
    into = make_category(notation="500")
    apply(change_request=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    for change_request in (
        Merge(sources=(into.pk,), into=physics.pk),
        Merge(sources=(physics.pk,), into=into.pk),
        Retire(category=physics.pk),
        Move(category=physics.pk, parent=into.pk),
        Move(category=into.pk, parent=physics.pk),
        Split(category=physics.pk, children=(Child(notation="1", books=("model",)),)),
        Split(category=into.pk, children=(Child(notation="530", books=("model",)),)),
    ):
        with pytest.raises(TaxonomyConflictError, match="530 was retired on 2024-06-01"):
            apply(change_request=change_request, now=NOW)
    with pytest.raises(CategoryRetiredError, match="530 was replaced by 500 on 2024-06-01"):
        check_open(categories=[None, into.pk, physics.pk])
    check_open(categories=[None, into.pk])


def test_chained_merges_resolve_to_the_last(physics):
    second, third = make_category(notation="500"), make_category(notation="0")
    apply(change_request=Merge(sources=(physics.pk,), into=second.pk), now=NOW)
    apply(change_request=Merge(sources=(second.pk,), into=third.pk), now=NOW)
    gone = make_category(notation="gone")
    apply(change_request=Retire(category=gone.pk, books_to="unfiled"), now=NOW)
    assert replacements() == {physics.pk: third.pk, second.pk: third.pk, gone.pk: None}
    assert category_ids(scheme="local") == {
        "530": third.pk, "500": third.pk, "0": third.pk, "gone": None,
        "535": Category.objects.get(notation="535").pk,
    }  # fmt: skip
