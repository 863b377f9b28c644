"""Batches: undone, accepted in part, and never overwriting a person's decision."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import TRUSTED_SOURCES, Batch, BookFingerprint, Change, ModelVersion, Suggestion
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification.batches.acceptance import accept
from classifier.services.classification.batches.changes import apply_changes, lock_books
from classifier.services.classification.batches.lifecycle import count_changes
from classifier.services.classification.batches.undo import undo
from classifier.services.classification.reclassify import classify, propose
from classifier.services.registry.promotion import promote
from classifier.services.registry.versions import active_version
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.catalogue.models import Book, Category
from library.catalogue.services import librarian_source
from tests.classifier.batch_rows import filed, rows, undo_now
from tests.classifier.factories import (
    make_batch,
    make_change,
    make_suggestion,
    make_version,
)
from tests.classifier.libraries import POOR, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_category

LATER = NOW + timedelta(days=1)


@pytest.fixture
def library(data_folder, version_cache):
    return trained_library(version_cache)


@pytest.mark.django_db
class TestWithAModel:
    def test_undo_restores_suggestions_exactly(self, library):
        classify(JobContext(now=NOW))
        before, books = rows(), filed()
        promote(version=_second(), now=NOW)
        batch = Batch.objects.get(pk=classify(JobContext(now=LATER))["batch"])
        assert rows() != before
        user = User.objects.create_user("librarian")
        accept(batch=batch, now=LATER)
        stayed = {"decided": 0, "classified_again": 0}
        done = undo(JobContext(now=LATER), batch=batch, user=user)
        assert done == {"batch": batch.pk, "books": UNCATEGORISED, **stayed}
        assert (rows(), filed()) == (before, books)
        batch.refresh_from_db()
        assert (batch.state, batch.undone_by, batch.unchanged) == ("undone", user, stayed)
        assert not batch.changes.exclude(before=[]).exists()

    def test_undone_books_are_not_stale(self, library):
        batch = Batch.objects.get(pk=classify(JobContext(now=NOW))["batch"])
        undo(JobContext(now=NOW), batch=batch)
        assert not Suggestion.objects.exists()
        assert classify(JobContext(now=LATER))["books"] == 0
        Book.objects.filter(control_number=next(reversed(library))).update(title="soup")
        assert classify(JobContext(now=LATER))["books"] == 1
        promote(version=_second(), now=NOW)
        assert classify(JobContext(now=LATER))["books"] == UNCATEGORISED

    def test_superseded_batch_undoes_nothing(self, library):
        first = Batch.objects.get(pk=classify(JobContext(now=NOW))["batch"])
        classify(JobContext(now=LATER), include_unchanged=True)
        after = rows()
        stayed = {"decided": 0, "classified_again": UNCATEGORISED}
        assert undo(JobContext(now=LATER), batch=first) == {"batch": first.pk, "books": 0, **stayed}
        assert rows() == after

    def test_proposal_changes_nothing(self, library):
        classify(JobContext(now=NOW))
        before, read = rows(), list(BookFingerprint.objects.order_by("pk").values())
        other = _second()
        batch = propose(version=other, now=LATER)
        assert rows() == before
        assert list(BookFingerprint.objects.order_by("pk").values()) == read
        assert (batch.state, batch.complete, batch.books) == ("proposed", True, UNCATEGORISED)
        said = {
            change.book_id: (
                change.kind,
                change.from_category_id,
                change.to_category_id,
                change.to_probability,
            )
            for change in batch.changes.all()
        }
        promote(version=other, now=NOW)
        applied = Batch.objects.get(pk=classify(JobContext(now=LATER))["batch"])
        came = applied.changes.exclude(kind="same")
        assert said == {
            change.book_id: (
                change.kind,
                change.from_category_id,
                change.to_category_id,
                pytest.approx(change.to_probability, abs=1e-5),
            )
            for change in came
        }
        assert said

    def test_one_proposal_per_version(self, library):
        classify(JobContext(now=NOW))
        propose(version=active_version(), now=NOW)
        again = propose(version=active_version(), now=LATER)
        assert again.changes.count() == 0
        assert Batch.objects.get(state="proposed") == again

    def test_what_the_model_filed_does_not_train_it(self, library):
        batch = Batch.objects.get(pk=classify(JobContext(now=NOW))["batch"])
        learned = {book.id for book in catalogue(all_books()).books if book.category}
        Suggestion.objects.update(abstained=False)
        batch.changes.update(to_abstained=False)
        assert accept(batch=batch, now=NOW).filed == UNCATEGORISED
        assert Book.objects.filter(category_source="model").count() == UNCATEGORISED
        assert {book.id for book in catalogue(all_books()).books if book.category} == learned
        # A guess goes on being classified.
        assert classify(JobContext(now=LATER), include_unchanged=True)["books"] == UNCATEGORISED


def _second():
    return ModelVersion.objects.get(
        name=train(JobContext(now=NOW), settings=[*POOR, "loans.factors=1", "network.epochs=1"])["version"]
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["apply", "accept", "undo", "librarian", "clear", "import"]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    min_size=3,
    max_size=12,
)


@both_databases
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_trusted_categories_are_never_overwritten(database, steps):
    with rolled_back():
        version = make_version()
        categories = [make_category() for _ in range(3)]
        books = [make_book() for _ in range(4)]
        batches = []
        for step, number, which in steps:
            book, category = books[number], categories[which]
            settled = dict(
                Book.objects.filter(category_source__in=TRUSTED_SOURCES).values_list("pk", "category_id")
            )
            sources = dict(Book.objects.filter(pk__in=settled).values_list("pk", "category_source"))
            if step == "apply":
                batches.append(_applied(version, books, category))
            elif step in ("accept", "undo") and batches:
                batch = batches[number % len(batches)]
                batch.refresh_from_db()
                if batch.state != "undone":
                    (accept if step == "accept" else undo_now)(batch=batch, now=NOW)
            elif step in ("librarian", "clear", "import"):
                new = None if step == "clear" else category
                source = Book.CategorySource.IMPORTED if step == "import" else librarian_source(category=new)
                Book.objects.filter(pk=book.pk).update(category=new, category_source=source)
                continue
            after = dict(Book.objects.filter(pk__in=settled).values_list("pk", "category_id"))
            assert after == settled
            assert dict(Book.objects.filter(pk__in=settled).values_list("pk", "category_source")) == sources


def _applied(version, books, category):
    """Apply a batch that suggests one category for all books, as a chunk does."""
    batch = make_batch(model_version=version, books=len(books))
    keys = [book.pk for book in books]
    new = [
        Suggestion(
            book_id=key, rank=1, category=category, probability=0.9, model_version=version, created_at=NOW
        )
        for key in keys
    ]
    fingerprints = dict.fromkeys(keys, "0" * 32)
    apply_changes(batch=batch, previous=lock_books(books=keys), rows=new, fingerprints=fingerprints)
    return batch


@both_databases
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(accepted=st.sets(st.integers(0, 3)), before=st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_undo_restores_the_whole_state(database, accepted, before):
    with rolled_back():
        version = make_version()
        categories = [make_category() for _ in range(3)]
        books = [make_book() for _ in range(4)]
        for book, number in zip(books, before, strict=True):
            if number:
                make_suggestion(
                    book=book,
                    category=categories[number],
                    evidence={"modality_predictions": {"text": ["a", 0.5]}},
                )
        state = rows(), filed()
        batch = _applied(version, books, categories[0])
        chosen = [change.pk for i, change in enumerate(batch.changes.order_by("book")) if i in accepted]
        assert accept(batch=batch, change_ids=chosen, now=NOW).filed == len(accepted)
        undo(JobContext(now=NOW), batch=batch)
        assert (rows(), filed()) == state


@pytest.mark.django_db
def test_deleted_category_and_version_are_not_restored():
    gone, old = make_category(), make_version()
    kept = make_suggestion(category=make_category())
    make_suggestion(book=kept.book, rank=2, category=gone)
    other = make_suggestion(model_version=old)
    batch = _applied(make_version(), [kept.book, other.book], make_category())
    gone.delete()
    old.delete()
    undo(JobContext(now=NOW), batch=batch)
    assert [row[:3] for row in rows()] == [(kept.book_id, 1, kept.category_id)]


@pytest.mark.django_db
def test_a_change_says_what_it_is():
    version, batch = make_version(), make_batch()
    one, two = make_category(), make_category()
    kinds = {
        "new": (None, (one, False)),
        "moved": ((one, False), (two, False)),
        "unsure": ((one, False), (one, True)),
        "surer": ((one, True), (one, False)),
        "gone": ((one, False), None),
        "same": ((one, True), (one, True)),
    }
    expected, new = {}, []
    for kind, (was, is_now) in kinds.items():
        book = make_book()
        expected[book.pk] = kind
        if was:
            make_suggestion(book=book, category=was[0], abstained=was[1], model_version=version)
        if is_now:
            fields = {"category": is_now[0], "abstained": is_now[1], "model_version": version}
            new.append(Suggestion(book=book, rank=1, probability=0.5, created_at=NOW, **fields))
    keys = sorted(expected)
    fingerprints = dict.fromkeys(keys, "")
    apply_changes(batch=batch, previous=lock_books(books=keys), rows=new, fingerprints=fingerprints)
    assert dict(Change.objects.values_list("book", "kind")) == expected
    assert count_changes(batch=batch) == dict.fromkeys(["gone", "moved", "new", "surer", "unsure"], 1)


@pytest.mark.django_db
def test_undo_restores_the_models_category():
    category = make_category()
    book = make_book(category=category, category_source="model")
    other = make_category()
    batch = make_batch()
    make_change(batch=batch, book=book, to_category=other)
    assert accept(batch=batch, now=NOW).filed == 1
    undo(JobContext(now=NOW), batch=batch)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (category, "model")
    assert Category.objects.count() == 2
