"""Chunks of a batch: processed once, resumed, and cancelled."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from classifier import dispatch, tasks
from classifier.errors import RunCancelledError
from classifier.models import Batch, Change, Chunk, Run, Suggestion
from classifier.selectors.records import unsettled_books
from classifier.services import jobs
from classifier.services.classification.batches.lifecycle import split_batch, take_chunk
from classifier.services.classification.chunk_worker import (
    BatchContext,
    assist_batch,
    process_batch,
    process_chunk,
)
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import active_version
from classifier.services.runs import lifecycle
from classifier.services.runs.context import JobContext
from tests.classifier.factories import make_batch, make_run
from tests.classifier.libraries import UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases, in_thread
from tests.factories import NOW

LATER = NOW + timedelta(days=1)


@pytest.fixture
def small(monkeypatch):
    """Chunks of two books."""
    monkeypatch.setattr("classifier.services.classification.batches.lifecycle.MAX_CHUNK", 2)


@pytest.fixture
def batch(small, data_folder, version_cache, request):
    """A batch of three free chunks, on the test's real database if it has one."""
    request.getfixturevalue("database" if "database" in request.fixturenames else "db")
    trained_library(version_cache)
    version = active_version()
    run = make_run(kind="reclassify", status="running")
    batch = make_batch(model_version=version, run=run, complete=False, books=UNCATEGORISED)
    split_batch(batch=batch, books=list(unsettled_books().values_list("pk", flat=True)))
    return batch


def load_context(batch):
    return BatchContext.load(version=batch.model_version, precision=batch.precision)


def rows():
    return list(
        Suggestion.objects.order_by("book", "rank").values_list("book", "rank", "category", "probability")
    )


def test_a_batch_is_cut_into_pieces_of_bounded_size(db):
    for books, sizes in ((0, []), (10, [10]), (5000, [313] * 15 + [305]), (10**5, [4096] * 24 + [1696])):
        batch = make_batch()
        assert split_batch(batch=batch, books=range(books)) == len(sizes)
        assert list(batch.chunks.order_by("number").values_list("size", flat=True)) == sizes
        keys = [key for chunk in batch.chunks.order_by("number") for key in chunk.book_ids]
        assert keys == list(range(books))


@both_databases
def test_many_workers_do_each_chunk_once(database, batch):
    with ThreadPoolExecutor(3) as threads:
        done = [in_thread(threads, lambda: assist_batch(batch_id=batch.pk)) for _ in range(3)]
        assert sum(work.result() for work in done) == 3
    assert not batch.chunks.filter(done_at=None).exists()
    assert Suggestion.objects.count() == Change.objects.count() * 3 == UNCATEGORISED * 3
    assert assist_batch(batch_id=batch.pk) == 0


@both_databases
def test_a_chunk_done_twice_leaves_the_rows_of_once(database, batch):
    chunk, context = take_chunk(batch=batch, now=NOW), load_context(batch)
    assert process_chunk(chunk=chunk, context=context)
    before = rows()
    assert not process_chunk(chunk=chunk, context=context)
    with ThreadPoolExecutor(2) as threads:
        second = take_chunk(batch=batch, now=NOW)
        both = [in_thread(threads, lambda: process_chunk(chunk=second, context=context)) for _ in range(2)]
        assert sorted(work.result() for work in both) == [False, True]
    assert set(before) < set(rows())
    assert (Suggestion.objects.count(), Change.objects.count()) == (12, 4)


def test_a_chunk_whose_worker_died_is_done_by_another(batch):
    dead = take_chunk(batch=batch, now=NOW)
    times = iter(NOW + timedelta(seconds=15 * n) for n in range(100))
    process_batch(
        batch=batch, context=load_context(batch), progress=lambda *step: None, clock=lambda: next(times)
    )
    assert not batch.chunks.filter(done_at=None).exists()
    dead.refresh_from_db()
    assert dead.done_at > NOW
    assert Suggestion.objects.filter(rank=1).count() == UNCATEGORISED


def test_progress_counts_all_workers(batch):
    steps = []

    def progress(phase, done, total):
        steps.append((phase, done, total))
        if len(steps) == 2:  # another worker processes one
            assert process_chunk(chunk=take_chunk(batch=batch, now=NOW), context=load_context(batch))

    process_batch(batch=batch, context=load_context(batch), progress=progress)
    assert steps == [("classifying", done, 6) for done in (0, 2, 6, 6)]


def test_cancelled_batch_takes_no_chunk(batch):
    context = load_context(batch)
    first, second = take_chunk(batch=batch, now=NOW), take_chunk(batch=batch, now=NOW)
    assert process_chunk(chunk=first, context=context)
    lifecycle.request_cancel(run=batch.run, now=NOW)
    assert assist_batch(batch_id=batch.pk) == 0
    assert not process_chunk(chunk=second, context=context)
    assert Suggestion.objects.filter(rank=1).count() == 2


def test_resumed_run_processes_the_remaining_chunks(db, small, version_cache):
    trained_library(version_cache)
    run = make_run(kind="reclassify")
    seen = []

    def die(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify(JobContext(now=NOW, run=lifecycle.claim(run_id=run.pk, now=NOW), progress=die))
    assert Chunk.objects.exclude(done_at=None).count() == 1
    kept = set(Suggestion.objects.values_list("pk", flat=True))
    lifecycle.reap(now=LATER)
    jobs.execute_run(run_id=run.pk, dispatch_helpers=lambda batch, left: seen.append(left))
    run.refresh_from_db()
    assert (run.status, run.attempt, run.result["books"]) == ("succeeded", 2, UNCATEGORISED)
    assert run.result["suggestions"] == Suggestion.objects.count() == 3 * UNCATEGORISED
    assert kept < set(Suggestion.objects.values_list("pk", flat=True))
    assert (seen, Batch.objects.count(), Chunk.objects.count()) == ([2], 1, 0)


def test_cancelled_run_leaves_whole_chunks(db, small, version_cache):
    trained_library(version_cache)

    def cancel(phase, done, total):
        if done == 4:
            Run.objects.filter(kind="reclassify", status="running").update(cancel_requested=True)
            raise RunCancelledError("Cancelled.")

    with pytest.raises(RunCancelledError):
        jobs.run_here(kind="reclassify", now=NOW, progress=cancel)
    assert Run.objects.get(kind="reclassify").status == "cancelled"
    first = Batch.objects.get()
    assert (first.complete, first.changes.count(), first.chunks.count()) == (False, 4, 3)
    assert jobs.run_here(kind="reclassify", now=LATER)["books"] == 2
    assert not Chunk.objects.exists()


def test_helpers_are_dispatched_by_task(batch, settings):
    folder = settings.QUEUE_DIR / "messages"
    before = set(folder.iterdir())
    dispatch.dispatch_helpers(batch.pk, 3)
    assert len(set(folder.iterdir()) - before) == 2
    dispatch.dispatch_helpers(batch.pk, 0)
    assert len(set(folder.iterdir()) - before) == 2
    tasks.assist_batch(batch.pk)
    assert Suggestion.objects.filter(rank=1).count() == UNCATEGORISED
    tasks.assist_batch(batch.pk + 1)
