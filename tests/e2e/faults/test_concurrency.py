"""Concurrent requests, two beats, and two workers on one batch."""

import random
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, PeriodicTask

from classifier.models import Chunk, Run
from library.catalogue.models import Book
from tests.classifier.libraries import QUICK, WORDS

pytestmark = pytest.mark.faults

ROUNDS = 4
BOOKS = 600
"""More books, so that a batch has three chunks."""
NIGHTLY = "Update recommendations"
SENT = f"Sending due task {NIGHTLY}"


def test_concurrent_requests_make_one_run(library):
    with ExitStack() as stack:
        webs = [stack.enter_context(library.start_web()) for _ in range(2)]
        runs = set()
        for seed in range(ROUNDS):
            for web in webs:
                web.send("train", parameters={"seed": 100 + seed, "settings": list(QUICK)})
            (first, first_is_new), (second, second_is_new) = (web.receive() for web in webs)
            assert first == second
            assert {first_is_new, second_is_new} == {True, False}
            runs.add(first)
        assert len(runs) == ROUNDS
        library.start_worker()
        library.start_worker("other")
        library.start_beat()
        library.check_completes(webs[0], min(runs))
    with library.open_database():
        # One after the other, each once.
        done = list(Run.objects.filter(pk__in=runs).order_by("started_at"))
        assert [(run.status, run.attempt) for run in done] == [("succeeded", 1)] * ROUNDS
        for before, after in pairwise(done):
            assert before.finished_at <= after.started_at


def schedule_nightly(*, seconds=8):
    """Make the nightly recommendations due once, in so many seconds."""
    clocked = ClockedSchedule.objects.create(clocked_time=timezone.now() + timedelta(seconds=seconds))
    nightly = PeriodicTask.objects.get(name=NIGHTLY)
    nightly.clocked, nightly.crontab, nightly.one_off, nightly.enabled = clocked, None, True, True
    nightly.save()


def scheduled_run(library):
    with library.open_database():
        return Run.objects.get(kind="recommend", trigger="schedule").pk


def test_two_beats_send_a_due_task_once(library, web):
    worker = library.start_worker()
    beats = [library.start_beat(f"beat{number}") for number in range(2)]
    for beat in beats:
        beat.wait_for_output("beat: Starting")
    with library.open_database():
        schedule_nightly()
    library.wait_until_finished(kind="recommend", trigger="schedule")
    # The one-off task is disabled after it was sent, which both beats notice.
    library.wait_until(lambda: not PeriodicTask.objects.get(name=NIGHTLY).enabled)
    changes = [beat.output().count("Schedule changed.") for beat in beats]
    with library.open_database():
        PeriodicTask.objects.get(name="Train a new model").save()  # any change at all
    for beat, count in zip(beats, changes, strict=True):
        beat.wait_for_output("Schedule changed.", times=count + 1)
    assert sum(beat.output().count(SENT) for beat in beats) == 1
    received = [line for line in worker.output().splitlines() if "received" in line]
    assert sum("tasks.request_run[" in line for line in received) == 1
    library.check_completes(web, scheduled_run(library), attempt=1)


def test_second_beat_continues_when_the_first_is_killed(library, web):
    library.start_worker()
    beats = [library.start_beat(f"beat{number}") for number in range(2)]
    for beat in beats:
        beat.wait_for_output("beat: Starting")
    beats[0].kill()
    with library.open_database():
        schedule_nightly(seconds=2)
    library.wait_until_finished(kind="recommend", trigger="schedule")
    library.check_completes(web, scheduled_run(library), attempt=1)


def test_task_due_during_a_broker_outage_is_sent_afterwards(library, web):
    library.start_worker()
    with library.open_database():
        schedule_nightly(seconds=4)
    beat = library.start_beat()
    library.broker.kill()
    beat.wait_for_output(f"“{NIGHTLY}” is due but must wait")
    library.broker.start()
    library.wait_until_finished(kind="recommend", trigger="schedule")
    assert beat.output().count(SENT) == 1
    library.check_completes(web, scheduled_run(library), attempt=1)


@pytest.fixture
def many_books(library):
    rng = random.Random(2)
    words = [word for text in WORDS.values() for word in text.split()]
    with library.open_database():
        Book.objects.bulk_create(
            Book(
                control_number=f"c{number:04}",
                title=" ".join(rng.sample(words, 3)),
                description=" ".join(rng.choices(words, k=12)),
            )
            for number in range(BOOKS)
        )


CHUNK_WORKER = "classifier.services.classification.chunk_worker"
CHUNK_POINTS = {
    "before": f"{CHUNK_WORKER}.lock_books",
    "not committed": f"after {CHUNK_WORKER}.apply_changes",
}


@pytest.mark.parametrize("point", CHUNK_POINTS)
@pytest.mark.parametrize("victim", ["helper", "first", "both"])
def test_batch_completes_if_one_of_two_workers_is_killed(library, web, many_books, victim, point):
    first = library.start_worker("first", pause_at="reclassify:classifying")
    library.start_beat()
    run = web.request_run("reclassify")
    library.wait_until_paused("first")
    helper = library.start_worker("helper", pause_at=f"assist_batch:{CHUNK_POINTS[point]}")
    library.wait_until_paused("helper")
    with library.open_database():
        assert Chunk.objects.exclude(taken_at=None).filter(done_at=None).count() == 1
    for name, worker in (("helper", helper), ("first", first)):
        if victim in (name, "both"):
            worker.kill()
    if victim != "helper":
        library.start_worker("second")
    library.resume("first")
    library.resume("helper")
    library.check_completes(web, run, attempt=1 if victim == "helper" else 2)
