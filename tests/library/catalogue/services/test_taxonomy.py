"""Merging, splitting, retiring and moving categories, and taking it back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.models import Book, Category, RefiledBook, TaxonomyChange
from library.catalogue.selectors.categories import category_ids, stands_for
from library.catalogue.services import CategoryRetiredError, check_open
from library.catalogue.services.taxonomy.changes import apply, undo
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
from tests.databases import both_databases, undone
from tests.factories import NOW, make_book, make_category

pytestmark = pytest.mark.django_db


def filed():
    return dict(Book.objects.values_list("control_number", "category__notation"))


def snapshot(*, made=()):
    """All that a change may alter, but for the categories that a split made and left behind."""
    return (
        list(Category.objects.exclude(pk__in=made).order_by("pk").values()),
        list(Book.objects.order_by("pk").values("pk", "category_id", "category_source")),
    )


@pytest.fixture
def physics():
    """530 with three books, one by each source, and 535 under it with one."""
    physics = make_category(notation="530")
    for source in ("librarian", "imported", "model"):
        make_book(control_number=source, title=f"Waves {source}", category=physics, category_source=source)
    make_book(control_number="lens", title="A lens", category=make_category(notation="535", parent=physics))
    return physics


def test_a_merge_moves_books_with_their_source_and_keeps_the_row(physics):
    into = make_category(notation="500")
    change = apply(wish=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    assert (change.kind, change.category, change.books) == ("merge", into, 3)
    assert set(into.books.values_list("control_number", "category_source")) == {
        ("librarian", "librarian"), ("imported", "imported"), ("model", "model"),
    }  # fmt: skip
    physics.refresh_from_db()
    assert (physics.retired_at, physics.replaced_by) == (NOW, into)
    assert Category.objects.get(notation="535").parent == into


def test_a_category_that_absorbs_the_one_above_it_takes_its_place(physics):
    top = make_category(notation="5")
    Category.objects.filter(pk=physics.pk).update(parent=top)
    between = Category.objects.get(notation="535")
    below = make_category(notation="535.2", parent=between)
    apply(wish=Merge(sources=(physics.pk,), into=below.pk), now=NOW)
    below.refresh_from_db()
    between.refresh_from_db()
    assert (below.parent, between.parent) == (top, below)


@pytest.mark.parametrize(
    ("books_to", "category", "source", "replaced"),
    [("parent", "530", "librarian", "530"), ("unfiled", None, "none", None)],
)
def test_a_retired_category_s_books_go_where_the_cataloguer_says(
    physics, books_to, category, source, replaced
):
    optics = Category.objects.get(notation="535")
    below = make_category(notation="535.2", parent=optics)
    apply(wish=Retire(category=optics.pk, books_to=books_to), now=NOW)
    book = Book.objects.get(control_number="lens")
    assert (filed()["lens"], book.category_source) == (category, source)
    optics.refresh_from_db()
    below.refresh_from_db()
    assert getattr(optics.replaced_by, "notation", None) == replaced
    assert below.parent == physics


def test_a_move_keeps_the_books_and_refuses_a_circle(physics):
    optics, top = Category.objects.get(notation="535"), make_category(notation="5")
    with pytest.raises(TaxonomyError, match="530 would stand above itself: 535 is below it"):
        apply(wish=Move(category=physics.pk, parent=optics.pk), now=NOW)
    before = filed()
    apply(wish=Move(category=physics.pk, parent=top.pk), now=NOW)
    physics.refresh_from_db()
    assert physics.parent == top
    assert filed() == before


def test_a_split_by_list_files_what_a_person_listed_and_leaves_the_rest(physics):
    there = make_category(notation="537", parent=None)
    children = (
        Child(notation="530.1", label_en="Waves", books=("model",)),
        Child(notation="537", label_en="not taken", books=("imported",)),
    )
    change = apply(wish=Split(category=physics.pk, children=children), now=NOW)
    new = Category.objects.get(notation="530.1")
    there.refresh_from_db()
    assert (new.parent, new.label_en, there.parent, there.label_en) == (physics, "Waves", None, "")
    assert (change.books, change.undecided, change.made) == (2, 1, [new.pk])
    assert (filed()["model"], filed()["imported"], filed()["librarian"]) == ("530.1", "537", "530")
    assert set(new.books.values_list("category_source", flat=True)) == {"librarian"}


def test_a_split_by_words_counts_whole_words_and_leaves_what_is_even():
    category = make_category(notation="641")
    titles = {"a": "Soup and bread", "b": "Breadth of vision", "c": "Cake or soup", "d": "家常菜谱大全"}
    for number, title in titles.items():
        make_book(control_number=number, title=title, category=category, category_source="imported")
    children = (
        Child(notation="641.8", words=("soup", "Bread")),
        Child(notation="641.9", words=("cake", "菜谱")),
    )
    change = apply(wish=Split(category=category.pk, children=children, rule="words"), now=NOW)
    assert filed() == {"a": "641.8", "b": "641", "c": "641", "d": "641.9"}
    assert set(Book.objects.values_list("category_source", flat=True)) == {"imported"}
    assert plan(wish=Split(category=category.pk, children=children, rule="words"), now=NOW).undecided == [
        "b",
        "c",
    ]
    assert change.undecided == 2


def test_a_guess_files_as_the_model_does_and_an_example_as_a_person(physics):
    children = (Child(notation="1", books=("librarian",)), Child(notation="2", books=("imported",)))
    asked = []

    def opinion(texts, told):
        asked.append((list(texts), list(told)))
        return [child if child >= 0 else 1 for child in told]

    wish = Split(category=physics.pk, children=children, rule="nearest")
    with pytest.raises(TaxonomyError, match="Choose another rule"):
        apply(wish=wish, now=NOW)
    apply(wish=wish, now=NOW, opinion=opinion)
    assert asked == [(["Waves imported", "Waves librarian", "Waves model"], [1, 0, -1])]
    rows = dict(Book.objects.values_list("control_number", "category_source"))
    assert rows == {"librarian": "librarian", "imported": "librarian", "model": "model", "lens": "librarian"}


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ((), "at least 1 categories"),
        ((Child(notation="", books=("model",)),), "needs a notation"),
        ((Child(notation="530", books=("model",)),), "comes twice"),
        ((Child(notation="1"),), "at least one book for 1"),
        ((Child(notation="1", books=("lens", "nowhere")),), "Not filed under 530: lens, nowhere"),
        (
            (Child(notation="1", books=("model",)), Child(notation="2", books=("model",))),
            "Listed for two categories: model",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused_and_changes_nothing(physics, children, words):
    before = snapshot()
    with pytest.raises(TaxonomyError, match=words):
        apply(wish=Split(category=physics.pk, children=children), now=NOW)
    assert snapshot() == before
    assert not TaxonomyChange.objects.exists()


def test_what_is_retired_takes_part_in_no_change_and_takes_no_book(physics):
    into = make_category(notation="500")
    apply(wish=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    for wish in (
        Merge(sources=(into.pk,), into=physics.pk),
        Merge(sources=(physics.pk,), into=into.pk),
        Retire(category=physics.pk),
        Move(category=physics.pk, parent=into.pk),
        Move(category=into.pk, parent=physics.pk),
        Split(category=physics.pk, children=(Child(notation="1", books=("model",)),)),
        Split(category=into.pk, children=(Child(notation="530", books=("model",)),)),
    ):
        with pytest.raises(TaxonomyConflictError, match="530 was retired on 2024-06-01"):
            apply(wish=wish, now=NOW)
    with pytest.raises(CategoryRetiredError, match="530 was given up on 2024-06-01 for 500"):
        check_open(categories=[None, into.pk, physics.pk])
    check_open(categories=[None, into.pk])


def test_of_categories_merged_one_after_the_other_the_last_stands_for_all(physics):
    second, third = make_category(notation="500"), make_category(notation="0")
    apply(wish=Merge(sources=(physics.pk,), into=second.pk), now=NOW)
    apply(wish=Merge(sources=(second.pk,), into=third.pk), now=NOW)
    gone = make_category(notation="gone")
    apply(wish=Retire(category=gone.pk, books_to="unfiled"), now=NOW)
    assert stands_for() == {physics.pk: third.pk, second.pk: third.pk, gone.pk: None}
    assert category_ids(scheme="local") == {
        "530": third.pk, "500": third.pk, "0": third.pk, "gone": None,
        "535": Category.objects.get(notation="535").pk,
    }  # fmt: skip


def test_undoing_keeps_what_a_person_filed_otherwise_since(physics):
    into, other = make_category(notation="500"), make_category(notation="other")
    change = apply(wish=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    Book.objects.filter(control_number="model").update(category=other, category_source="librarian")
    change = undo(change=change, now=NOW)
    assert (change.kept, change.undone_at) == (1, NOW)
    assert filed() == {"librarian": "530", "imported": "530", "model": "other", "lens": "535"}
    with pytest.raises(TaxonomyConflictError, match="is undone already"):
        undo(change=change, now=NOW)


def test_undoing_a_split_leaves_a_child_open_to_which_books_came_since(physics):
    children = (Child(notation="1", books=("model",)), Child(notation="2", books=("imported",)))
    change = apply(wish=Split(category=physics.pk, children=children), now=NOW)
    first, second = Category.objects.filter(pk__in=change.made).order_by("notation")
    make_book(control_number="since", category=first)
    undo(change=change, now=NOW)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.retired_at, second.retired_at, second.replaced_by) == (None, NOW, physics)
    # The same notations are the same categories again.
    again = apply(wish=Split(category=physics.pk, children=children), now=NOW)
    second.refresh_from_db()
    assert (again.made, second.retired_at, second.parent) == ([second.pk], None, physics)


def test_a_change_that_a_later_one_rests_on_is_not_undone_before_it(physics):
    into, third = make_category(notation="500"), make_category(notation="600")
    first = apply(wish=Merge(sources=(physics.pk,), into=into.pk), now=NOW)
    unrelated = apply(wish=Merge(sources=(third.pk,), into=into.pk), now=NOW)
    later = apply(wish=Split(category=into.pk, children=(Child(notation="1", books=("model",)),)), now=NOW)
    with pytest.raises(TaxonomyConflictError, match=f"{later} \\(split, 500\\) rests on it") as caught:
        undo(change=first, now=NOW)
    assert caught.value.extra == {"later": later.pk}
    undo(change=later, now=NOW)
    undo(change=first, now=NOW)
    undo(change=unrelated, now=NOW)


def test_moves_that_would_close_a_circle_are_undone_in_their_order(physics):
    optics = Category.objects.get(notation="535")
    other = make_category(notation="other")
    first = apply(wish=Move(category=optics.pk, parent=other.pk), now=NOW)
    later = apply(wish=Move(category=physics.pk, parent=optics.pk), now=NOW)
    with pytest.raises(TaxonomyConflictError, match=str(later)):
        undo(change=first, now=NOW)
    undo(change=later, now=NOW)
    undo(change=first, now=NOW)


def wishes(categories, books):
    """Any change of some categories, sensible or not."""
    some = st.sampled_from(categories)
    children = st.builds(
        Child, notation=st.sampled_from(["n1", "n2", "c0"]), books=st.lists(st.sampled_from(books)).map(tuple)
    )
    return st.one_of(
        st.builds(Merge, sources=st.lists(some, max_size=3).map(tuple), into=some),
        st.builds(Retire, category=some, books_to=st.sampled_from(["parent", "unfiled"])),
        st.builds(Move, category=some, parent=st.one_of(st.none(), some)),
        st.builds(Split, category=some, children=st.lists(children, max_size=2).map(tuple)),
    )


@settings(max_examples=40)
@given(data=st.data())
def test_any_changes_undone_from_the_last_restore_everything(data):
    with undone():
        keys = []
        for number in range(5):
            parent = data.draw(st.sampled_from([None, *keys]))
            keys.append(make_category(notation=f"c{number}", parent_id=parent).pk)
        books = [f"b{number}" for number in range(6)]
        for number in books:
            place = data.draw(st.sampled_from([None, *keys]))
            source = data.draw(st.sampled_from(["imported", "librarian", "model"])) if place else "none"
            make_book(control_number=number, category_id=place, category_source=source)
        states, changes = [], []
        for wish in data.draw(st.lists(wishes(keys, books), max_size=6)):
            before = snapshot()
            try:
                change = apply(wish=wish, now=NOW)
            except (TaxonomyError, TaxonomyConflictError):
                assert snapshot() == before
                continue
            states.append(before)
            changes.append(change)
            assert_sound(keys)
        for change, before in zip(reversed(changes), reversed(states), strict=True):
            undo(change=change, now=NOW)
            assert snapshot(made=made_by(changes)) == without(before, made_by(changes))
            assert_sound(keys)
        if changes:
            assert not Category.objects.filter(pk__in=made_by(changes), retired_at=None).exists()


@settings(max_examples=40)
@given(data=st.data())
def test_undoing_in_any_order_either_is_refused_or_leaves_a_sound_scheme(data):
    with undone():
        keys = [make_category(notation=f"c{number}").pk for number in range(4)]
        books = [f"b{number}" for number in range(5)]
        for number in books:
            place = data.draw(st.sampled_from(keys))
            make_book(control_number=number, category_id=place, category_source="imported")
        changes = []
        for wish in data.draw(st.lists(wishes(keys, books), min_size=2, max_size=6)):
            try:
                changes.append(apply(wish=wish, now=NOW))
            except (TaxonomyError, TaxonomyConflictError):
                continue
        for change in data.draw(st.permutations(changes)):
            before = snapshot()
            try:
                undo(change=change, now=NOW)
            except TaxonomyConflictError as error:
                refused_for = TaxonomyChange.objects.get(pk=error.extra["later"])
            else:
                assert_sound(keys)
                continue
            assert refused_for.undone_at is None
            assert snapshot() == before
        # From the last to the first, none is ever refused.
        for change in TaxonomyChange.objects.filter(undone_at=None).order_by("-pk"):
            undo(change=change, now=NOW)


def made_by(changes):
    return [key for change in changes for key in change.made]


def without(state, made):
    categories, books = state
    return [row for row in categories if row["id"] not in made], books


def assert_sound(keys):
    """No book lost or under what is retired, no circle, no open category under a retired one."""
    assert Book.objects.exclude(category__retired_at=None).count() == 0
    assert set(keys) <= set(Category.objects.values_list("pk", flat=True))
    assert not Category.objects.filter(retired_at=None, parent__retired_at__isnull=False).exists()
    tree = dict(Category.objects.filter(retired_at=None).values_list("pk", "parent_id"))
    for key in tree:
        steps = 0
        while key is not None:
            key, steps = tree[key], steps + 1
            assert steps <= len(tree)
    assert set(stands_for().values()) <= {None, *tree}


@both_databases
def test_a_change_and_its_undoing_commit_on_either_database(database):
    source, into = make_category(notation="a"), make_category(notation="b")
    for number in range(30):
        make_book(control_number=f"b{number}", category=source)
    change = apply(wish=Merge(sources=(source.pk,), into=into.pk), now=NOW)
    assert (into.books.count(), RefiledBook.objects.count()) == (30, 30)
    undo(change=change, now=NOW)
    assert source.books.count() == 30
