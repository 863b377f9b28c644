"""Undoing changes of the classification scheme."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.models import Book, Category, RefiledBook, TaxonomyChange
from library.catalogue.selectors.categories import replacements
from library.catalogue.services.taxonomy.changes import apply, undo
from library.catalogue.services.taxonomy.requests import (
    Child,
    Merge,
    Move,
    Retire,
    Split,
    TaxonomyConflictError,
    TaxonomyError,
)
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_category
from tests.library.catalogue.services.schemes import filed, snapshot

pytestmark = pytest.mark.django_db


def test_undo_keeps_later_refilings(physics):
    into, other = make_category(notation="500"), make_category(notation="other")
    change = apply(change_request=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    Book.objects.filter(control_number="model").update(category=other, category_source="librarian")
    change = undo(change=change, now=NOW)
    assert (change.kept, change.undone_at) == (1, NOW)
    assert filed() == {"librarian": "530", "imported": "530", "model": "other", "lens": "535"}
    with pytest.raises(TaxonomyConflictError, match="is already undone"):
        undo(change=change, now=NOW)


def test_undoing_a_split_keeps_used_children_open(physics):
    children = (Child(notation="1", books=("model",)), Child(notation="2", books=("imported",)))
    change = apply(change_request=Split(category=physics.pk, children=children), now=NOW)
    first, second = Category.objects.filter(pk__in=change.created_categories).order_by("notation")
    make_book(control_number="since", category=first)
    undo(change=change, now=NOW)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.retired_at, second.retired_at, second.replaced_by) == (None, NOW, physics)
    # The same notations are the same categories again.
    again = apply(change_request=Split(category=physics.pk, children=children), now=NOW)
    second.refresh_from_db()
    assert (again.created_categories, second.retired_at, second.parent) == ([second.pk], None, physics)


def test_change_with_dependants_cannot_be_undone(physics):
    into, third = make_category(notation="500"), make_category(notation="600")
    first = apply(change_request=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    unrelated = apply(change_request=Merge(sources=(third.pk,), into=into.pk), now=NOW)
    later = apply(
        change_request=Split(category=into.pk, children=(Child(notation="1", books=("model",)),)), now=NOW
    )
    with pytest.raises(TaxonomyConflictError, match=f"{later} \\(Split, 500\\) depends on it") as caught:
        undo(change=first, now=NOW)
    assert caught.value.extra == {"later": later.pk}
    undo(change=later, now=NOW)
    undo(change=first, now=NOW)
    undo(change=unrelated, now=NOW)


def test_undo_that_would_make_a_circle_is_refused(physics):
    optics = Category.objects.get(notation="535")
    other = make_category(notation="other")
    first = apply(change_request=Move(category=optics.pk, parent=other.pk), now=NOW)
    later = apply(change_request=Move(category=physics.pk, parent=optics.pk), now=NOW)
    with pytest.raises(TaxonomyConflictError, match=str(later)):
        undo(change=first, now=NOW)
    undo(change=later, now=NOW)
    undo(change=first, now=NOW)


def change_requests(categories, books):
    """Strategy: any request for these categories, valid or not."""
    category = st.sampled_from(categories)
    children = st.builds(
        Child, notation=st.sampled_from(["n1", "n2", "c0"]), books=st.lists(st.sampled_from(books)).map(tuple)
    )
    return st.one_of(
        st.builds(Merge, sources=st.lists(category, max_size=3).map(tuple), into=category),
        st.builds(Retire, category=category, books_to=st.sampled_from(["parent", "unfiled"])),
        st.builds(Move, category=category, parent=st.one_of(st.none(), category)),
        st.builds(Split, category=category, children=st.lists(children, max_size=2).map(tuple)),
    )


@settings(max_examples=40)
@given(data=st.data())
def test_undoing_all_changes_restores_everything(data):
    with rolled_back():
        keys = []
        for number in range(5):
            parent = data.draw(st.sampled_from([None, *keys]))
            keys.append(make_category(notation=f"c{number}", parent_id=parent).pk)
        books = [f"b{number}" for number in range(6)]
        for number in books:
            category = data.draw(st.sampled_from([None, *keys]))
            source = data.draw(st.sampled_from(["imported", "librarian", "model"])) if category else "none"
            make_book(control_number=number, category_id=category, category_source=source)
        states, changes = [], []
        for change_request in data.draw(st.lists(change_requests(keys, books), max_size=6)):
            before = snapshot()
            try:
                change = apply(change_request=change_request, now=NOW)
            except (TaxonomyError, TaxonomyConflictError):
                assert snapshot() == before
                continue
            states.append(before)
            changes.append(change)
            assert_sound(keys)
        for change, before in zip(reversed(changes), reversed(states), strict=True):
            undo(change=change, now=NOW)
            assert snapshot(excluding=created_by(changes)) == without(before, created_by(changes))
            assert_sound(keys)
        if changes:
            assert not Category.objects.filter(pk__in=created_by(changes), retired_at=None).exists()


@settings(max_examples=40)
@given(data=st.data())
def test_undoing_in_any_order_keeps_the_scheme_sound(data):
    with rolled_back():
        keys = [make_category(notation=f"c{number}").pk for number in range(4)]
        books = [f"b{number}" for number in range(5)]
        for number in books:
            category = data.draw(st.sampled_from(keys))
            make_book(control_number=number, category_id=category, category_source="imported")
        changes = []
        for change_request in data.draw(st.lists(change_requests(keys, books), min_size=2, max_size=6)):
            try:
                changes.append(apply(change_request=change_request, now=NOW))
            except (TaxonomyError, TaxonomyConflictError):
                continue
        for change in data.draw(st.permutations(changes)):
            before = snapshot()
            try:
                undo(change=change, now=NOW)
            except TaxonomyConflictError as error:
                blocking = TaxonomyChange.objects.get(pk=error.extra["later"])
            else:
                assert_sound(keys)
                continue
            assert blocking.undone_at is None
            assert snapshot() == before
        # In reverse order, no undo is refused.
        for change in TaxonomyChange.objects.filter(undone_at=None).order_by("-pk"):
            undo(change=change, now=NOW)


def created_by(changes):
    return [key for change in changes for key in change.created_categories]


def without(state, created):
    categories, books = state
    return [row for row in categories if row["id"] not in created], books


def assert_sound(keys):
    """Check for lost books, books or open children under a retired category, and circles."""
    assert Book.objects.exclude(category__retired_at=None).count() == 0
    assert set(keys) <= set(Category.objects.values_list("pk", flat=True))
    assert not Category.objects.filter(retired_at=None, parent__retired_at__isnull=False).exists()
    tree = dict(Category.objects.filter(retired_at=None).values_list("pk", "parent_id"))
    for key in tree:
        steps = 0
        while key is not None:
            key, steps = tree[key], steps + 1
            assert steps <= len(tree)
    assert set(replacements().values()) <= {None, *tree}


@both_databases
def test_change_and_undo_commit_on_both_databases(database):
    source, into = make_category(notation="a"), make_category(notation="b")
    for number in range(30):
        make_book(control_number=f"b{number}", category=source)
    change = apply(change_request=Merge(sources=(source.pk,), into=into.pk), now=NOW)
    assert (into.books.count(), RefiledBook.objects.count()) == (30, 30)
    undo(change=change, now=NOW)
    assert source.books.count() == 30
