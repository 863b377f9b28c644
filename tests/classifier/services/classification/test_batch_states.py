"""States of batches: what can be accepted and undone."""

from datetime import timedelta

import pytest

from classifier.errors import RunCancelledError
from classifier.models import Suggestion
from classifier.services.classification.batches.acceptance import accept
from classifier.services.classification.batches.lifecycle import BatchStateError
from classifier.services.classification.batches.undo import undo
from classifier.services.review.verdicts import accept_suggestion
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book
from tests.classifier.batch_rows import filed, rows, undo_now
from tests.classifier.factories import (
    file_book,
    make_batch,
    make_change,
    make_review,
    make_run,
    make_suggestion,
)
from tests.factories import NOW, make_book, make_category
from tests.logins import make_librarian

ACTIONS = [accept, undo_now]


@pytest.mark.django_db
class TestStates:
    @pytest.mark.parametrize("action", ACTIONS)
    def test_proposal_is_refused(self, action):
        with pytest.raises(BatchStateError, match="is only a proposal"):
            action(batch=make_batch(state="proposed"), now=NOW)

    @pytest.mark.parametrize("action", ACTIONS)
    def test_what_is_undone_is_over(self, action):
        with pytest.raises(BatchStateError, match="is already undone"):
            action(batch=make_batch(state="undone", undone_at=NOW), now=NOW)

    @pytest.mark.parametrize("action", ACTIONS)
    def test_a_batch_that_goes_on_must_be_waited_for(self, action):
        run = make_run(kind="reclassify", status="running")
        batch = make_batch(run=run, complete=False)
        with pytest.raises(BatchStateError, match=f"Wait for job {run.pk}"):
            action(batch=batch, now=NOW)
        run.status, run.finished_at = "cancelled", NOW
        run.save()
        action(batch=batch, now=NOW)

    def test_acceptance_counts_skipped_books(self):
        batch = make_batch()
        good = make_change(batch=batch)
        make_change(batch=batch, to_abstained=True)
        make_change(batch=batch, superseded=True)
        make_change(batch=batch, book=make_book(category=make_category()))
        done = accept(batch=batch, now=NOW)
        assert (done.filed, done.decided, done.unsure) == (1, 1, 2)
        good.book.refresh_from_db()
        assert (good.book.category, good.book.category_source) == (good.to_category, "model")
        batch.refresh_from_db()
        assert batch.state == "partly"
        assert accept(batch=batch, now=NOW).filed == 0

    def test_only_what_is_selected_is_accepted(self):
        batch = make_batch()
        chosen, other = make_change(batch=batch), make_change(batch=batch)
        assert accept(batch=batch, change_ids=[chosen.pk], now=NOW).filed == 1
        other.book.refresh_from_db()
        assert other.book.category is None

    def test_undo_keeps_later_decisions(self):
        batch = make_batch()
        accepted = make_suggestion(category=make_category())
        corrected = make_suggestion(category=make_category())
        for suggestion in (accepted, corrected):
            make_change(batch=batch, book=suggestion.book, to_category=suggestion.category)
        accept(batch=batch, now=NOW)
        accept_suggestion(suggestion=accepted, reviewer=make_librarian(), now=NOW)
        elsewhere = make_category()
        file_book(book=corrected.book, category=elsewhere)
        before, books = rows(), filed()
        assert undo(JobContext(now=NOW), batch=batch)["decided"] == 2
        assert (rows(), filed()) == (before, books)

    def test_undo_does_not_restore_rejected_suggestions(self):
        batch, earlier = make_batch(), NOW - timedelta(days=1)
        rejected, untouched, known = (make_suggestion() for _ in range(3))
        for suggestion in (rejected, untouched, known):
            make_change(batch=batch, book=suggestion.book, to_category=suggestion.category)
        make_review(suggestion=rejected)
        make_review(suggestion=known, created_at=earlier)  # the batch suggests without it already
        assert undo(JobContext(now=NOW), batch=batch)["decided"] == 1
        assert list(Suggestion.objects.values_list("book", flat=True)) == [rejected.book_id]

    def test_cut_off_it_is_being_undone_until_it_is_done(self, monkeypatch):
        monkeypatch.setattr("classifier.services.classification.batches.lifecycle._BOOKS_PER_SLICE", 2)
        batch = make_batch()
        for _ in range(5):
            make_change(batch=batch)
        accept(batch=batch, now=NOW)

        def cut_off(phase, done, total):
            if done == 4:
                raise RunCancelledError("enough")

        with pytest.raises(RunCancelledError):
            undo(JobContext(now=NOW, progress=cut_off), batch=batch)
        batch.refresh_from_db()
        assert batch.state == "undoing"
        assert Book.objects.exclude(category=None).count() == 1
        with pytest.raises(BatchStateError, match="is being undone"):
            accept(batch=batch, now=NOW)
        assert undo(JobContext(now=NOW), batch=batch)["books"] == 5
        assert not Book.objects.exclude(category=None).exists()

    def test_undone_in_slices_as_in_one(self, monkeypatch):
        monkeypatch.setattr("classifier.services.classification.batches.lifecycle._BOOKS_PER_SLICE", 2)
        batch = make_batch()
        for _ in range(5):
            make_change(batch=batch)
        assert accept(batch=batch, now=NOW).filed == 5
        undo(JobContext(now=NOW), batch=batch)
        assert not Book.objects.exclude(category=None).exists()
