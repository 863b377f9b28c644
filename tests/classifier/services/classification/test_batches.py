"""Batches: undone as a whole, accepted in part, and nothing of what a person decided is ever written over."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.errors import RunCancelledError
from classifier.models import TRUSTED_SOURCES, Change, ModelVersion, Reading, Reclassification, Suggestion
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification import changes, chunks
from classifier.services.classification.batches import ReclassificationStateError, accept, undo
from classifier.services.classification.changes import COLUMNS
from classifier.services.classification.reclassify import classify, propose
from classifier.services.registry.promotion import promote
from classifier.services.registry.versions import active_version
from classifier.services.review.verdicts import accept_suggestion, correct_category
from classifier.services.training.training import train
from library.catalogue.models import Book, Category
from library.catalogue.services import librarian_source
from tests.classifier.factories import (
    make_batch,
    make_change,
    make_review,
    make_run,
    make_suggestion,
    make_version,
)
from tests.classifier.libraries import POOR, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases, undone
from tests.factories import NOW, make_book, make_category
from tests.logins import make_librarian

LATER = NOW + timedelta(days=1)


def rows():
    return list(Suggestion.objects.order_by("book", "rank").values_list("book", *COLUMNS))


def filed():
    return dict(Book.objects.values_list("pk", "category")), dict(
        Book.objects.values_list("pk", "category_source")
    )


@pytest.fixture
def library(data_folder, kept_versions):
    return trained_library(kept_versions)


@pytest.mark.django_db
class TestWithAModel:
    def test_undone_all_suggestions_are_to_the_last_digit_what_they_were(self, library):
        classify(now=NOW)
        before, books = rows(), filed()
        promote(version=_second(), now=NOW)
        batch = Reclassification.objects.get(pk=classify(now=LATER)["batch"])
        assert rows() != before
        user = User.objects.create_user("librarian")
        accept(batch=batch, now=LATER)
        stayed = {"decided": 0, "classified_again": 0}
        done = undo(batch=batch, now=LATER, user=user)
        assert done == {"batch": batch.pk, "books": UNCATEGORISED, **stayed}
        assert (rows(), filed()) == (before, books)
        batch.refresh_from_db()
        assert (batch.state, batch.undone_by, batch.kept) == ("undone", user, stayed)
        assert not batch.changes.exclude(before=[]).exists()

    def test_what_was_undone_is_not_done_again_before_something_changes(self, library):
        batch = Reclassification.objects.get(pk=classify(now=NOW)["batch"])
        undo(batch=batch, now=NOW)
        assert not Suggestion.objects.exists()
        assert classify(now=LATER)["books"] == 0
        Book.objects.filter(control_number=next(reversed(library))).update(title="soup")
        assert classify(now=LATER)["books"] == 1
        promote(version=_second(), now=NOW)
        assert classify(now=LATER)["books"] == UNCATEGORISED

    def test_of_two_batches_the_earlier_one_has_nothing_left_to_undo(self, library):
        first = Reclassification.objects.get(pk=classify(now=NOW)["batch"])
        classify(now=LATER, afresh=True)
        after = rows()
        stayed = {"decided": 0, "classified_again": UNCATEGORISED}
        assert undo(batch=first, now=LATER) == {"batch": first.pk, "books": 0, **stayed}
        assert rows() == after

    def test_a_proposal_lists_what_would_change_and_changes_nothing(self, library):
        classify(now=NOW)
        before, read = rows(), list(Reading.objects.order_by("pk").values())
        other = _second()
        batch = propose(version=other, now=LATER)
        assert rows() == before
        assert list(Reading.objects.order_by("pk").values()) == read
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
        applied = Reclassification.objects.get(pk=classify(now=LATER)["batch"])
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

    def test_a_version_proposes_once_and_the_active_one_nothing(self, library):
        classify(now=NOW)
        propose(version=active_version(), now=NOW)
        again = propose(version=active_version(), now=LATER)
        assert again.changes.count() == 0
        assert Reclassification.objects.get(state="proposed") == again

    def test_what_the_model_filed_does_not_train_it(self, library):
        batch = Reclassification.objects.get(pk=classify(now=NOW)["batch"])
        learned = {book.id for book in catalogue(all_books()).books if book.category}
        Suggestion.objects.update(abstained=False)
        batch.changes.update(to_abstained=False)
        assert accept(batch=batch, now=NOW).filed == UNCATEGORISED
        assert Book.objects.filter(category_source="model").count() == UNCATEGORISED
        assert {book.id for book in catalogue(all_books()).books if book.category} == learned
        # A guess goes on being classified.
        assert classify(now=LATER, afresh=True)["books"] == UNCATEGORISED


def _second():
    return ModelVersion.objects.get(name=train(now=NOW, settings=POOR)["version"])


@pytest.mark.django_db
class TestStates:
    @pytest.mark.parametrize("what", [accept, undo])
    def test_a_proposal_can_be_neither_accepted_nor_undone(self, what):
        with pytest.raises(ReclassificationStateError, match="is a proposal"):
            what(batch=make_batch(state="proposed"), now=NOW)

    @pytest.mark.parametrize("what", [accept, undo])
    def test_what_is_undone_is_over(self, what):
        with pytest.raises(ReclassificationStateError, match="is undone already"):
            what(batch=make_batch(state="undone", undone_at=NOW), now=NOW)

    @pytest.mark.parametrize("what", [accept, undo])
    def test_a_batch_that_goes_on_must_be_waited_for(self, what):
        run = make_run(kind="reclassify", status="running")
        batch = make_batch(run=run, complete=False)
        with pytest.raises(ReclassificationStateError, match=f"wait for run {run.pk}"):
            what(batch=batch, now=NOW)
        run.status, run.finished_at = "cancelled", NOW
        run.save()
        what(batch=batch, now=NOW)

    def test_only_suggestions_are_accepted_and_the_rest_is_counted(self):
        batch = make_batch()
        good = make_change(reclassification=batch)
        make_change(reclassification=batch, to_abstained=True)
        make_change(reclassification=batch, superseded=True)
        make_change(reclassification=batch, book=make_book(category=make_category()))
        done = accept(batch=batch, now=NOW)
        assert (done.filed, done.decided, done.unsure) == (1, 1, 2)
        good.book.refresh_from_db()
        assert (good.book.category, good.book.category_source) == (good.to_category, "model")
        batch.refresh_from_db()
        assert batch.state == "partly"
        assert accept(batch=batch, now=NOW).filed == 0

    def test_only_what_is_selected_is_accepted(self):
        batch = make_batch()
        chosen, other = make_change(reclassification=batch), make_change(reclassification=batch)
        assert accept(batch=batch, change_ids=[chosen.pk], now=NOW).filed == 1
        other.book.refresh_from_db()
        assert other.book.category is None

    def test_what_a_person_decided_since_stays_and_is_told(self):
        batch = make_batch()
        accepted = make_suggestion(category=make_category())
        corrected = make_suggestion(category=make_category())
        for suggestion in (accepted, corrected):
            make_change(reclassification=batch, book=suggestion.book, to_category=suggestion.category)
        accept(batch=batch, now=NOW)
        accept_suggestion(suggestion=accepted, reviewer=make_librarian(), now=NOW)
        elsewhere = make_category()
        correct_category(book=corrected.book, category=elsewhere)
        before, books = rows(), filed()
        assert undo(batch=batch, now=NOW)["decided"] == 2
        assert (rows(), filed()) == (before, books)

    def test_what_a_person_rejected_since_does_not_come_back(self):
        batch, earlier = make_batch(), NOW - timedelta(days=1)
        rejected, untouched, known = (make_suggestion() for _ in range(3))
        for suggestion in (rejected, untouched, known):
            make_change(reclassification=batch, book=suggestion.book, to_category=suggestion.category)
        make_review(suggestion=rejected)
        make_review(suggestion=known, at=earlier)  # the batch suggests without it already
        assert undo(batch=batch, now=NOW)["decided"] == 1
        assert list(Suggestion.objects.values_list("book", flat=True)) == [rejected.book_id]

    def test_cut_off_it_is_being_undone_until_it_is_done(self, monkeypatch):
        monkeypatch.setattr("classifier.services.classification.batches._AT_ONCE", 2)
        batch = make_batch()
        for _ in range(5):
            make_change(reclassification=batch)
        accept(batch=batch, now=NOW)

        def cut_off(phase, done, total):
            if done == 4:
                raise RunCancelledError("enough")

        with pytest.raises(RunCancelledError):
            undo(batch=batch, now=NOW, progress=cut_off)
        batch.refresh_from_db()
        assert batch.state == "undoing"
        assert Book.objects.exclude(category=None).count() == 1
        with pytest.raises(ReclassificationStateError, match="is being undone"):
            accept(batch=batch, now=NOW)
        assert undo(batch=batch, now=NOW)["books"] == 5
        assert not Book.objects.exclude(category=None).exists()

    def test_undone_in_slices_as_in_one(self, monkeypatch):
        monkeypatch.setattr("classifier.services.classification.batches._AT_ONCE", 2)
        batch = make_batch()
        for _ in range(5):
            make_change(reclassification=batch)
        assert accept(batch=batch, now=NOW).filed == 5
        undo(batch=batch, now=NOW)
        assert not Book.objects.exclude(category=None).exists()


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
def test_nothing_automatic_changes_what_a_person_or_an_import_has_filed(database, steps):
    with undone():
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
                    (accept if step == "accept" else undo)(batch=batch, now=NOW)
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
    changes.apply(batch=batch, was=changes.locked(books=keys), rows=new, read=dict.fromkeys(keys, "0" * 32))
    return batch


@both_databases
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(accepted=st.sets(st.integers(0, 3)), before=st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_undoing_the_last_batch_is_as_if_it_had_never_been(database, accepted, before):
    with undone():
        version = make_version()
        categories = [make_category() for _ in range(3)]
        books = [make_book() for _ in range(4)]
        for book, number in zip(books, before, strict=True):
            if number:
                make_suggestion(
                    book=book, category=categories[number], evidence={"says": {"text": ["a", 0.5]}}
                )
        state = rows(), filed()
        batch = _applied(version, books, categories[0])
        chosen = [change.pk for i, change in enumerate(batch.changes.order_by("book")) if i in accepted]
        assert accept(batch=batch, change_ids=chosen, now=NOW).filed == len(accepted)
        undo(batch=batch, now=NOW)
        assert (rows(), filed()) == state


@pytest.mark.django_db
def test_a_category_and_a_version_deleted_since_do_not_come_back():
    gone, old = make_category(), make_version()
    kept = make_suggestion(category=make_category())
    make_suggestion(book=kept.book, rank=2, category=gone)
    other = make_suggestion(model_version=old)
    batch = _applied(make_version(), [kept.book, other.book], make_category())
    gone.delete()
    old.delete()
    undo(batch=batch, now=NOW)
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
            made = {"category": is_now[0], "abstained": is_now[1], "model_version": version}
            new.append(Suggestion(book=book, rank=1, probability=0.5, created_at=NOW, **made))
    keys = sorted(expected)
    changes.apply(batch=batch, was=changes.locked(books=keys), rows=new, read=dict.fromkeys(keys, ""))
    assert dict(Change.objects.values_list("book", "kind")) == expected
    assert chunks.kinds(batch=batch) == dict.fromkeys(["gone", "moved", "new", "surer", "unsure"], 1)


@pytest.mark.django_db
def test_what_the_model_filed_may_be_filed_anew_and_goes_back():
    category = make_category()
    book = make_book(category=category, category_source="model")
    other = make_category()
    batch = make_batch()
    make_change(reclassification=batch, book=book, to_category=other)
    assert accept(batch=batch, now=NOW).filed == 1
    undo(batch=batch, now=NOW)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (category, "model")
    assert Category.objects.count() == 2
