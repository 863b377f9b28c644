"""Taxonomy changes and what hangs on them: suggestions, misfiled books, batches, earlier versions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from classifier.models import FollowedBook, Misfiled, Suggestion
from classifier.selectors.records import categories_by_key, current_names
from classifier.services.classification import batches
from classifier.services.classification.chunk_worker import Reader
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import active_version
from classifier.services.review.verdicts import correct_category, undo_last
from classifier.services.taxonomy.changes import apply, undo
from classifier.services.taxonomy.preview import preview
from classifier.services.training.training import train
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services import CategoryRetiredError
from library.catalogue.services.taxonomy.requests import (
    Child,
    Merge,
    Move,
    Retire,
    Split,
    TaxonomyConflictError,
)
from library.circulation.models import Loan
from tests.classifier.factories import make_batch, make_change, make_misfiled, make_suggestion, make_version
from tests.classifier.libraries import QUICK
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases, in_thread, on_postgresql, wait_until_blocked
from tests.factories import NOW, make_book, make_category, make_loan
from tests.logins import make_librarian

LATER = NOW + timedelta(days=1)


@pytest.fixture
def three(db):
    """Categories a, b and c."""
    return [make_category(notation=notation) for notation in "abc"]


def suggest(book, *rows):
    """Save suggestions of one version: categories with their probabilities."""
    version = make_version()
    for rank, (category, probability) in enumerate(rows, start=1):
        make_suggestion(
            book=book, rank=rank, category=category, probability=probability, model_version=version,
            evidence={"decision": rank},
        )  # fmt: skip


def suggestions(book):
    rows = Suggestion.objects.filter(book=book).order_by("rank")
    return [
        (row.category.notation, round(row.probability, 6), row.rank, row.evidence["decision"]) for row in rows
    ]


def merge(source, into):
    return apply(wish=Merge(sources=(source.pk,), into=into.pk), now=NOW)


def test_suggestions_of_a_merged_category_are_those_of_its_target_and_come_back(three):
    a, b, c = three
    book, other = make_book(), make_book()
    suggest(book, (c, 0.4), (a, 0.35), (b, 0.2))
    suggest(other, (c, 0.9))
    before = suggestions(book)
    change = merge(a, b)
    assert suggestions(book) == [("b", 0.55, 1, 2), ("c", 0.4, 2, 1)]
    assert suggestions(other) == [("c", 0.9, 1, 1)]
    assert FollowedBook.objects.get().book == book
    undo(change=change, now=LATER)
    assert suggestions(book) == before
    assert not FollowedBook.objects.exists()


def test_suggestions_of_a_category_given_up_without_a_place_go(three):
    a, b, _c = three
    book, only = make_book(), make_book()
    suggest(book, (a, 0.6), (b, 0.3))
    suggest(only, (a, 0.6))
    change = apply(wish=Retire(category=a.pk, books_to="unfiled"), now=NOW)
    assert (suggestions(book), suggestions(only)) == ([("b", 0.3, 1, 2)], [])
    undo(change=change, now=LATER)
    assert suggestions(only) == [("a", 0.6, 1, 1)]


def test_a_book_classified_again_since_keeps_its_new_suggestions(three):
    a, b, c = three
    book = make_book()
    suggest(book, (a, 0.6))
    change = merge(a, b)
    Suggestion.objects.filter(book=book).delete()
    suggest(book, (c, 0.8))
    undo(change=change, now=LATER)
    assert suggestions(book) == [("c", 0.8, 1, 1)]


def test_undoing_a_split_turns_suggestions_of_its_parts_back_into_those_of_the_whole(three):
    whole = three[0]
    for number in ("x", "y"):
        make_book(control_number=number, category=whole)
    children = (Child(notation="1", books=("x",)), Child(notation="2", books=("y",)))
    change = apply(wish=Split(category=whole.pk, children=children), now=NOW)
    book = make_book()
    suggest(book, *((Category.objects.get(pk=key), 0.4) for key in change.made))
    undo(change=change, now=LATER)
    assert suggestions(book) == [("a", 0.8, 1, 1)]


def test_what_a_person_said_to_be_right_is_said_of_the_new_place_and_the_rest_is_looked_for_anew(three):
    a, b, c = three
    right, listed = make_book(category=a), make_book(category=a)
    make_misfiled(book=right, category=c, dismissed_at=NOW)
    make_misfiled(book=listed, category=b)
    make_misfiled(book=make_book(category=c), category=a)
    change = merge(a, b)
    row = Misfiled.objects.get(filed=b)
    assert (row.book, row.category, row.dismissed_at) == (right, c, NOW)
    assert not Misfiled.objects.filter(dismissed_at=None).exists()
    undo(change=change, now=LATER)
    assert Misfiled.objects.get(filed=a).book == right


def test_a_batch_is_accepted_and_undone_under_the_names_of_today(three):
    a, b, c = three
    batch = make_batch()
    change = make_change(reclassification=batch, to_category=a)
    gone = make_change(reclassification=batch, to_category=c)
    merge(a, b)
    apply(wish=Retire(category=c.pk, books_to="unfiled"), now=NOW)
    done = batches.accept(batch=batch, now=NOW)
    assert (done.filed, done.unsure) == (1, 1)
    change.book.refresh_from_db()
    gone.book.refresh_from_db()
    assert (change.book.category, gone.book.category) == (b, None)
    assert batches.undo(batch=batch, now=NOW)["decided"] == 0
    change.book.refresh_from_db()
    assert change.book.category is None


def test_nobody_files_a_book_under_what_is_retired(three):
    a, b, _c = three
    merge(a, b)
    book = make_book()
    with pytest.raises(CategoryRetiredError, match="a was given up on 2024-06-01 for b"):
        correct_category(book=book, category=a)
    book.refresh_from_db()
    assert book.category is None


def test_keys_lead_to_the_category_of_today(three):
    a, b, c = three
    merge(a, b)
    apply(wish=Retire(category=c.pk, books_to="unfiled"), now=NOW)
    known = categories_by_key()
    assert known == {"local/a": b, "local/b": b}
    classes = ["local/a", "local/b", "local/c", "local/deleted"]
    assert current_names(classes, known=known) == {
        "local/a": "local/b", "local/c": None, "local/deleted": None,
    }  # fmt: skip


@pytest.fixture
def trained(data_folder, kept_versions, db):
    """A small library and the version that was trained on it; its categories by notation."""
    trained_library(kept_versions)
    return {category.notation: category for category in Category.objects.all()}


def test_a_version_trained_before_suggests_under_the_names_of_today(trained):
    classify(now=NOW)
    before = {row.book_id: row for row in Suggestion.objects.filter(rank=1)}
    change = merge(trained["AST"], trained["COO"])
    assert classify(now=LATER)["books"] == len(before)  # the change made all of them stale
    sums = {}
    for row in Suggestion.objects.all():
        assert row.category.retired_at is None
        sums[row.book_id] = sums.get(row.book_id, 0) + row.probability
    assert list(sums.values()) == pytest.approx([1] * len(before))
    for row in Suggestion.objects.filter(rank=1).select_related("category"):
        was = before[row.book_id].category.notation
        assert row.category.notation == {"AST": "COO"}.get(was, was)
        assert row.probability >= before[row.book_id].probability - 1e-6
        assert row.evidence
    assert classify(now=LATER)["books"] == 0
    undo(change=change, now=LATER)
    assert classify(now=LATER)["books"] == len(before)
    after = {row.book_id: row for row in Suggestion.objects.filter(rank=1)}
    assert {key: row.category_id for key, row in after.items()} == {
        key: row.category_id for key, row in before.items()
    }


def test_a_version_trained_before_never_suggests_what_is_retired(trained):
    apply(wish=Retire(category=trained["AST"].pk, books_to="unfiled"), now=NOW)
    classify(now=LATER, include_categorised=True)
    assert not Suggestion.objects.filter(category=trained["AST"]).exists()
    reader = Reader.of(version=active_version(), precision=0.9)
    assert reader.current == {"local/AST": None}


def test_a_version_is_compared_under_the_names_of_today(trained):
    merge(trained["AST"], trained["COO"])
    train(now=LATER, settings=QUICK)
    comparison = active_version().comparison
    assert {row["name"] for row in comparison["by_category"]} == {"local/COO", "local/HIS"}
    (merged,) = (row for row in comparison["by_category"] if row["name"] == "local/COO")
    assert merged["active"] == merged["books"]


def test_a_preview_of_a_merge_counts_and_changes_nothing(trained):
    book = Book.objects.filter(category=trained["AST"]).first()
    make_loan(book=book)
    loans = preview(wish=Retire(category=trained["HIS"].pk, books_to="unfiled"), now=NOW)["loans"]
    found = preview(wish=Merge(sources=(trained["AST"].pk,), into=trained["COO"].pk), now=NOW)
    assert found["books"] == {"moved": 15, "trusted": 15, "model": 0, "undecided": 0}
    assert found["to"] == [{"category": "COO", "new": False, "books": 15}]
    lent = Loan.objects.filter(copy__book__category=trained["AST"]).count()
    assert found["loans"] == {"all": lent, "open": 1}
    assert loans["open"] == 0
    assert found["reviews"]["needed"] == 0
    assert (found["suggestions"], found["categories"]) == (0, 0)
    judged = found["accuracy"]
    assert judged["now"]["books"] == active_version().metrics["held_out"]
    assert not TaxonomyChange.objects.exists()
    assert Book.objects.filter(category=trained["AST"]).count() == 15


def version_with(cells, *notations):
    classes = [f"local/{notation}" for notation in notations]
    return make_version(state="active", metrics={"confusion": cells, "classes": classes})


def test_a_preview_reads_the_held_out_answers_under_the_new_names(three):
    a, b, _c = three
    version = version_with([[0, 0, 10], [0, 1, 10], [1, 1, 20]], "a", "b")
    judged = preview(wish=Merge(sources=(a.pk,), into=b.pk), now=NOW)["accuracy"]
    assert (judged["version"], judged["now"]["accuracy"], judged["then"]["accuracy"]) == (
        version.name,
        0.75,
        1,
    )
    moved = preview(wish=Move(category=a.pk, parent=b.pk), now=NOW)["accuracy"]
    assert moved["then"] == moved["now"]


def test_a_preview_says_what_cannot_be_known(three):
    a, b, _c = three
    wish = Merge(sources=(a.pk,), into=b.pk)
    assert preview(wish=wish, now=NOW)["notes"] == [
        "No version of the model is active, so nothing is known of its accuracy."
    ]
    version_with([[0, 0, 3], [2, 2, 40]], "a", "b", "c")
    assert preview(wish=wish, now=NOW)["notes"] == [
        "Too few held-out books of these categories (3) to say how well they are recognised."
    ]


def test_a_preview_of_a_split_says_how_well_the_parts_are_told_apart_and_what_to_look_at(three):
    whole = three[0]
    for number in range(12):
        make_book(control_number=f"s{number}", title=f"Soup of leek {number}", category=whole)
        make_book(control_number=f"k{number}", title=f"Knitting wool {number}", category=whole)
    make_book(control_number="odd", title="qqq", category=whole)
    version_with([[0, 0, 45], [0, 1, 5]], "a", "b")
    words = (Child(notation="1", words=("soup",)), Child(notation="2", words=("knitting",)))
    found = preview(wish=Split(category=whole.pk, children=words, rule="words"), now=NOW)
    assert found["undecided"] == ["odd"]
    assert found["accuracy"]["now"]["accuracy"] == found["accuracy"]["then"]["accuracy"] == 0.9
    assert found["accuracy"]["then"]["macro_f1"] is None
    reviews = found["reviews"]
    assert reviews["told_apart"] == {"books": 24, "share": 1.0}
    assert (reviews["examples"], reviews["missing"], reviews["needed"]) == (1, 0, 1)
    nearest = (Child(notation="1", books=("s0", "s1")), Child(notation="2", books=("k0", "k1")))
    wish = Split(category=whole.pk, children=nearest, rule="nearest")
    found = preview(wish=wish, now=NOW)
    assert (found["books"]["undecided"], found["reviews"]["guessed"], found["reviews"]["needed"]) == (
        1,
        20,
        21,
    )
    assert "Too few books (4)" in found["notes"][0]
    apply(wish=wish, now=NOW)
    soups = Book.objects.filter(category__notation="1").values_list("control_number", "category_source")
    assert dict(soups) == {f"s{number}": "librarian" if number < 2 else "model" for number in range(12)}


@pytest.mark.django_db
def test_undoing_a_review_does_not_file_under_what_is_retired(three):
    a, b, c = three
    reviewer = make_librarian()
    book = make_book(category=a)
    suggest(book, (c, 0.9))
    from classifier.services.review.verdicts import accept_suggestion

    accept_suggestion(suggestion=book.suggestions.get(), reviewer=reviewer, now=NOW)
    merge(a, b)
    with pytest.raises(CategoryRetiredError):
        undo_last(reviewer=reviewer, now=LATER)
    book.refresh_from_db()
    assert book.category == c


@both_databases
def test_two_merges_at_once_come_one_after_the_other(database):
    a, b = make_category(notation="a"), make_category(notation="b")
    make_book(category=a)
    make_book(category=b)

    def work(source, into):
        try:
            return merge(source, into).pk
        except TaxonomyConflictError:
            return None

    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, lambda: work(a, b)), in_thread(threads, lambda: work(b, a))]
        assert sorted(bool(one.result(60)) for one in works) == [False, True]
    assert Book.objects.filter(category__retired_at=None).count() == 2


@on_postgresql
def test_who_files_a_book_while_its_category_is_merged_is_seen_or_refused(database):
    a, b = make_category(notation="a"), make_category(notation="b")
    before, after = make_book(), make_book()
    filed, go_on = Event(), Event()

    def file_first():
        with transaction.atomic():
            correct_category(book=before, category=a)
            filed.set()
            assert go_on.wait(60)

    with ThreadPoolExecutor(3) as threads:
        first = in_thread(threads, file_first)
        assert filed.wait(60)
        merging = in_thread(threads, lambda: merge(a, b))
        wait_until_blocked(merging)
        late = in_thread(threads, lambda: correct_category(book=after, category=a))
        wait_until_blocked(merging, late)
        go_on.set()
        first.result(60)
        merging.result(60)
        with pytest.raises(CategoryRetiredError):
            late.result(60)
    before.refresh_from_db()
    after.refresh_from_db()
    assert (before.category, after.category) == (b, None)


def test_the_command_previews_does_and_undoes(three, capsys, tmp_path):
    a, b, c = three
    make_book(control_number="x", category=a)
    call_command("taxonomy", "merge", "a", "c", "--into", "b", "--preview")
    assert not TaxonomyChange.objects.exists()
    assert "books: {'moved': 1" in capsys.readouterr().out
    call_command("taxonomy", "merge", "a", "c", "--into", "b", "--json")
    change = TaxonomyChange.objects.get()
    assert f'"change": {change.pk}' in capsys.readouterr().out
    call_command("taxonomy", "undo", str(change.pk))
    assert a.books.count() == 1
    file = tmp_path / "children.csv"
    file.write_text("notation,label_en,id\na.1,First,x\n", encoding="utf-8")
    call_command("taxonomy", "split", "a", "--children", str(file))
    assert Category.objects.get(notation="a.1").books.get().control_number == "x"
    call_command("taxonomy", "move", "c", "--parent", "b")
    call_command("taxonomy", "move", "c", "--top")
    call_command("taxonomy", "retire", "c", "--books-to", "unfiled")
    c.refresh_from_db()
    assert (c.parent, c.retired_at is None, b.books.count()) == (None, False, 0)
    with pytest.raises(CommandError, match="There is no category nowhere in the scheme local"):
        call_command("taxonomy", "retire", "nowhere")
    with pytest.raises(CommandError, match="There is no taxonomy change 0"):
        call_command("taxonomy", "undo", "0")
