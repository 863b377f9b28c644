"""Category changes and their effects on suggestions, misfiles, batches and versions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.db import transaction

from classifier.models import Misfiled, RelabelledBook, Suggestion
from classifier.selectors.records import categories_by_key, current_names
from classifier.services.classification.batches.acceptance import accept
from classifier.services.classification.batches.undo import undo as undo_batch
from classifier.services.classification.chunk_worker import BatchContext
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import active_version
from classifier.services.review.verdicts import undo_last
from classifier.services.runs.context import JobContext
from classifier.services.taxonomy.changes import apply, undo
from classifier.services.training.training import train
from library.catalogue.models import Book, Category
from library.catalogue.services import CategoryRetiredError
from library.catalogue.services.taxonomy.requests import (
    Child,
    Merge,
    Retire,
    Split,
    TaxonomyConflictError,
)
from tests.classifier.factories import (
    file_book,
    make_batch,
    make_change,
    make_misfiled,
    make_suggestion,
    make_version,
)
from tests.classifier.libraries import QUICK
from tests.databases import both_databases, in_thread, on_postgresql, wait_until_blocked
from tests.factories import NOW, make_book, make_category
from tests.logins import make_librarian

LATER = NOW + timedelta(days=1)


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
    return apply(change_request=Merge(sources=(source.pk,), into=into.pk), now=NOW)


def test_merge_relabels_suggestions_and_undo_restores_them(three):
    a, b, c = three
    book, other = make_book(), make_book()
    suggest(book, (c, 0.4), (a, 0.35), (b, 0.2))
    suggest(other, (c, 0.9))
    before = suggestions(book)
    change = merge(a, b)
    assert suggestions(book) == [("b", 0.55, 1, 2), ("c", 0.4, 2, 1)]
    assert suggestions(other) == [("c", 0.9, 1, 1)]
    assert RelabelledBook.objects.get().book == book
    undo(now=LATER, change=change)
    assert suggestions(book) == before
    assert not RelabelledBook.objects.exists()


def test_suggestions_of_a_retired_category_are_deleted(three):
    a, b, _c = three
    book, only = make_book(), make_book()
    suggest(book, (a, 0.6), (b, 0.3))
    suggest(only, (a, 0.6))
    change = apply(change_request=Retire(category=a.pk, books_to="unfiled"), now=NOW)
    assert (suggestions(book), suggestions(only)) == ([("b", 0.3, 1, 2)], [])
    undo(now=LATER, change=change)
    assert suggestions(only) == [("a", 0.6, 1, 1)]


def test_undo_keeps_newer_suggestions(three):
    a, b, c = three
    book = make_book()
    suggest(book, (a, 0.6))
    change = merge(a, b)
    Suggestion.objects.filter(book=book).delete()
    suggest(book, (c, 0.8))
    undo(now=LATER, change=change)
    assert suggestions(book) == [("c", 0.8, 1, 1)]


def test_undone_split_relabels_suggestions(three):
    whole = three[0]
    for number in ("x", "y"):
        make_book(control_number=number, category=whole)
    children = (Child(notation="1", books=("x",)), Child(notation="2", books=("y",)))
    change = apply(change_request=Split(category=whole.pk, children=children), now=NOW)
    book = make_book()
    suggest(book, *((Category.objects.get(pk=key), 0.4) for key in change.created_categories))
    undo(now=LATER, change=change)
    assert suggestions(book) == [("a", 0.8, 1, 1)]


def test_confirmations_follow_a_merge(three):
    a, b, c = three
    right, listed = make_book(category=a), make_book(category=a)
    make_misfiled(book=right, category=c, dismissed_at=NOW)
    make_misfiled(book=listed, category=b)
    make_misfiled(book=make_book(category=c), category=a)
    change = merge(a, b)
    row = Misfiled.objects.get(filed=b)
    assert (row.book, row.category, row.dismissed_at) == (right, c, NOW)
    assert not Misfiled.objects.filter(dismissed_at=None).exists()
    undo(now=LATER, change=change)
    assert Misfiled.objects.get(filed=a).book == right


def test_batch_uses_current_categories(three):
    a, b, c = three
    batch = make_batch()
    change = make_change(batch=batch, to_category=a)
    gone = make_change(batch=batch, to_category=c)
    merge(a, b)
    apply(change_request=Retire(category=c.pk, books_to="unfiled"), now=NOW)
    done = accept(batch=batch, now=NOW)
    assert (done.filed, done.unsure) == (1, 1)
    change.book.refresh_from_db()
    gone.book.refresh_from_db()
    assert (change.book.category, gone.book.category) == (b, None)
    assert undo_batch(JobContext(now=NOW), batch=batch)["decided"] == 0
    change.book.refresh_from_db()
    assert change.book.category is None


def test_nobody_files_a_book_under_what_is_retired(three):
    a, b, _c = three
    merge(a, b)
    book = make_book()
    with pytest.raises(CategoryRetiredError, match="a was replaced by b on 2024-06-01"):
        file_book(book=book, category=a)
    book.refresh_from_db()
    assert book.category is None


def test_keys_lead_to_the_category_of_today(three):
    a, b, c = three
    merge(a, b)
    apply(change_request=Retire(category=c.pk, books_to="unfiled"), now=NOW)
    known = categories_by_key()
    assert known == {"local/a": b, "local/b": b}
    classes = ["local/a", "local/b", "local/c", "local/deleted"]
    assert current_names(classes, categories=known) == {
        "local/a": "local/b", "local/c": None, "local/deleted": None,
    }  # fmt: skip


def test_older_version_suggests_current_categories(trained):
    classify(JobContext(now=NOW))
    before = {row.book_id: row for row in Suggestion.objects.filter(rank=1)}
    change = merge(trained["AST"], trained["COO"])
    assert classify(JobContext(now=LATER))["books"] == len(before)  # all are stale
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
    assert classify(JobContext(now=LATER))["books"] == 0
    undo(now=LATER, change=change)
    assert classify(JobContext(now=LATER))["books"] == len(before)
    after = {row.book_id: row for row in Suggestion.objects.filter(rank=1)}
    assert {key: row.category_id for key, row in after.items()} == {
        key: row.category_id for key, row in before.items()
    }


def test_older_version_never_suggests_retired_categories(trained):
    apply(change_request=Retire(category=trained["AST"].pk, books_to="unfiled"), now=NOW)
    classify(JobContext(now=LATER), include_categorised=True)
    assert not Suggestion.objects.filter(category=trained["AST"]).exists()
    reader = BatchContext.load(version=active_version(), precision=0.9)
    assert reader.current == {"local/AST": None}


def test_comparison_uses_current_categories(trained):
    merge(trained["AST"], trained["COO"])
    train(JobContext(now=LATER), settings=QUICK)
    comparison = active_version().comparison
    assert {row["name"] for row in comparison["by_category"]} == {"local/COO", "local/HIS"}
    (merged,) = (row for row in comparison["by_category"] if row["name"] == "local/COO")
    assert merged["active"] == merged["books"]


@pytest.mark.django_db
def test_undone_review_cannot_restore_a_retired_category(three):
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
def test_filing_during_a_merge(database):
    a, b = make_category(notation="a"), make_category(notation="b")
    before, after = make_book(), make_book()
    filed, go_on = Event(), Event()

    def file_first():
        with transaction.atomic():
            file_book(book=before, category=a)
            filed.set()
            assert go_on.wait(60)

    with ThreadPoolExecutor(3) as threads:
        first = in_thread(threads, file_first)
        assert filed.wait(60)
        merging = in_thread(threads, lambda: merge(a, b))
        wait_until_blocked(merging)
        late = in_thread(threads, lambda: file_book(book=after, category=a))
        wait_until_blocked(merging, late)
        go_on.set()
        first.result(60)
        merging.result(60)
        with pytest.raises(CategoryRetiredError):
            late.result(60)
    before.refresh_from_db()
    after.refresh_from_db()
    assert (before.category, after.category) == (b, None)
