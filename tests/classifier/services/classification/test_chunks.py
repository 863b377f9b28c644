"""Chunks: done once whoever does them, taken up again, and stopped between two."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from classifier import dispatch, tasks
from classifier.errors import RunCancelledError
from classifier.models import Change, Chunk, Reclassification, Run, Suggestion
from classifier.selectors.records import unsettled_books
from classifier.services import jobs
from classifier.services.classification import chunks
from classifier.services.classification.chunk_worker import Reader, do, help_with, work_off
from classifier.services.classification.chunks import cut, take
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import active_version
from classifier.services.runs import lifecycle
from tests.classifier.factories import make_batch, make_run
from tests.classifier.libraries import UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases, in_thread
from tests.factories import NOW

LATER = NOW + timedelta(days=1)


@pytest.fixture
def small(monkeypatch):
    """Chunks of two books."""
    monkeypatch.setattr(chunks, "LARGEST", 2)


@pytest.fixture
def batch(small, data_folder, kept_versions, request):
    """A batch of three chunks that nobody works on yet, on a real database if the test asks for one."""
    request.getfixturevalue("database" if "database" in request.fixturenames else "db")
    trained_library(kept_versions)
    version = active_version()
    run = make_run(kind="reclassify", status="running")
    made = make_batch(model_version=version, run=run, complete=False, books=UNCATEGORISED)
    cut(batch=made, books=list(unsettled_books().values_list("pk", flat=True)))
    return made


def reader(batch):
    return Reader.of(version=batch.model_version, precision=batch.precision)


def rows():
    return list(
        Suggestion.objects.order_by("book", "rank").values_list("book", "rank", "category", "probability")
    )


def test_a_batch_is_cut_into_pieces_of_bounded_size(db):
    for books, sizes in ((0, []), (10, [10]), (5000, [313] * 15 + [305]), (10**5, [4096] * 24 + [1696])):
        made = make_batch()
        assert cut(batch=made, books=range(books)) == len(sizes)
        assert list(made.chunks.order_by("number").values_list("size", flat=True)) == sizes
        held = [key for chunk in made.chunks.order_by("number") for key in chunk.book_ids]
        assert held == list(range(books))


@both_databases
def test_many_workers_do_each_chunk_once(database, batch):
    with ThreadPoolExecutor(3) as threads:
        done = [in_thread(threads, lambda: help_with(batch_id=batch.pk)) for _ in range(3)]
        assert sum(work.result() for work in done) == 3
    assert not batch.chunks.filter(done_at=None).exists()
    assert Suggestion.objects.count() == Change.objects.count() * 3 == UNCATEGORISED * 3
    assert help_with(batch_id=batch.pk) == 0


@both_databases
def test_a_chunk_done_twice_leaves_the_rows_of_once(database, batch):
    chunk, by = take(batch=batch, now=NOW), reader(batch)
    assert do(chunk=chunk, reader=by)
    before = rows()
    assert not do(chunk=chunk, reader=by)
    with ThreadPoolExecutor(2) as threads:
        second = take(batch=batch, now=NOW)
        both = [in_thread(threads, lambda: do(chunk=second, reader=by)) for _ in range(2)]
        assert sorted(work.result() for work in both) == [False, True]
    assert set(before) < set(rows())
    assert (Suggestion.objects.count(), Change.objects.count()) == (12, 4)


def test_a_chunk_whose_worker_died_is_done_by_another(batch):
    dead = take(batch=batch, now=NOW)
    times = iter(NOW + timedelta(seconds=15 * n) for n in range(100))
    work_off(batch=batch, reader=reader(batch), progress=lambda *step: None, clock=lambda: next(times))
    assert not batch.chunks.filter(done_at=None).exists()
    dead.refresh_from_db()
    assert dead.done_at > NOW
    assert Suggestion.objects.filter(rank=1).count() == UNCATEGORISED


def test_the_progress_is_the_sum_of_the_chunks_whoever_does_them(batch):
    steps = []

    def progress(phase, done, total):
        steps.append((phase, done, total))
        if len(steps) == 2:  # somebody else does one meanwhile
            assert do(chunk=take(batch=batch, now=NOW), reader=reader(batch))

    work_off(batch=batch, reader=reader(batch), progress=progress)
    assert steps == [("classifying", done, 6) for done in (0, 2, 6, 6)]


def test_when_it_is_cancelled_nobody_takes_another_chunk(batch):
    by = reader(batch)
    first, second = take(batch=batch, now=NOW), take(batch=batch, now=NOW)
    assert do(chunk=first, reader=by)
    lifecycle.request_cancel(run=batch.run, now=NOW)
    assert help_with(batch_id=batch.pk) == 0
    assert not do(chunk=second, reader=by)
    assert Suggestion.objects.filter(rank=1).count() == 2


def test_a_run_taken_up_again_goes_on_with_the_chunks_that_are_left(db, small, kept_versions):
    trained_library(kept_versions)
    run = make_run(kind="reclassify")
    seen = []

    def die(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify(now=NOW, run=lifecycle.claim(run_id=run.pk, now=NOW), progress=die)
    assert Chunk.objects.exclude(done_at=None).count() == 1
    kept = set(Suggestion.objects.values_list("pk", flat=True))
    lifecycle.reap(now=LATER)
    jobs.work(run_id=run.pk, call_help=lambda batch, left: seen.append(left))
    run.refresh_from_db()
    assert (run.status, run.attempt, run.result["books"]) == ("succeeded", 2, UNCATEGORISED)
    assert run.result["suggestions"] == Suggestion.objects.count() == 3 * UNCATEGORISED
    assert kept < set(Suggestion.objects.values_list("pk", flat=True))
    assert (seen, Reclassification.objects.count(), Chunk.objects.count()) == ([2], 1, 0)


def test_a_cancelled_run_leaves_whole_chunks_which_can_be_undone_and_the_next_one_clears_up(
    db, small, kept_versions
):
    trained_library(kept_versions)

    def cancel(phase, done, total):
        if done == 4:
            Run.objects.filter(kind="reclassify", status="running").update(cancel_requested=True)
            raise RunCancelledError("Cancelled.")

    with pytest.raises(RunCancelledError):
        jobs.run_here(kind="reclassify", now=NOW, progress=cancel)
    assert Run.objects.get(kind="reclassify").status == "cancelled"
    first = Reclassification.objects.get()
    assert (first.complete, first.changes.count(), first.chunks.count()) == (False, 4, 3)
    assert jobs.run_here(kind="reclassify", now=LATER)["books"] == 2
    assert not Chunk.objects.exists()


def test_help_is_called_for_all_chunks_but_the_first_and_comes_by_a_task(batch, settings):
    folder = settings.QUEUE_DIR / "messages"
    before = set(folder.iterdir())
    dispatch.call_help(batch.pk, 3)
    assert len(set(folder.iterdir()) - before) == 2
    dispatch.call_help(batch.pk, 0)
    assert len(set(folder.iterdir()) - before) == 2
    tasks.reclassify_chunks(batch.pk)
    assert Suggestion.objects.filter(rank=1).count() == UNCATEGORISED
    tasks.reclassify_chunks(batch.pk + 1)
