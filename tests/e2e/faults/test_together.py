"""Two that want the same at the same time, and two that work on the same."""

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
"""More, so that a batch has three chunks."""
NIGHTLY = "recommend nightly"
SENT = f"Sending due task {NIGHTLY}"


@pytest.fixture
def web(library):
    with library.web() as web:
        yield web


def test_what_two_ask_for_at_once_is_one_run(library):
    with ExitStack() as stack:
        webs = [stack.enter_context(library.web()) for _ in range(2)]
        runs = set()
        for seed in range(ROUNDS):
            for web in webs:
                web.send("train", parameters={"seed": 100 + seed, "settings": list(QUICK)})
            (first, new), (second, new_too) = (web.answer() for web in webs)
            assert first == second
            assert {new, new_too} == {True, False}
            runs.add(first)
        assert len(runs) == ROUNDS
        library.worker()
        library.worker("other")
        library.beat()
        library.comes_to_its_end(webs[0], min(runs))
    with library.opened():
        # One after the other, each once.
        done = list(Run.objects.filter(pk__in=runs).order_by("started_at"))
        assert [(run.status, run.attempt) for run in done] == [("succeeded", 1)] * ROUNDS
        for before, after in pairwise(done):
            assert before.finished_at <= after.started_at


def due_soon(*, seconds=8):
    """Let the nightly recommendations be due once."""
    clocked = ClockedSchedule.objects.create(clocked_time=timezone.now() + timedelta(seconds=seconds))
    nightly = PeriodicTask.objects.get(name=NIGHTLY)
    nightly.clocked, nightly.crontab, nightly.one_off, nightly.enabled = clocked, None, True, True
    nightly.save()


def test_what_two_beats_find_due_is_one_run(library, web):
    worker = library.worker()
    beats = [library.beat(f"beat{number}") for number in range(2)]
    for beat in beats:
        beat.wait_until_said("beat: Starting")
    with library.opened():
        due_soon()
    library.when_over(kind="recommend", trigger="schedule")
    # Both have seen that it is over: it is switched off, which each notes.
    library.when(lambda: not PeriodicTask.objects.get(name=NIGHTLY).enabled)
    changes = [beat.said().count("Schedule changed.") for beat in beats]
    with library.opened():
        PeriodicTask.objects.get(name="retrain weekly").save()  # any change at all
    for beat, before in zip(beats, changes, strict=True):
        beat.wait_until_said("Schedule changed.", times=before + 1)
    assert sum(beat.said().count(SENT) for beat in beats) == 1
    assert sum("tasks.ask[" in line and "received" in line for line in worker.said().splitlines()) == 1
    with library.opened():
        run = Run.objects.get(kind="recommend", trigger="schedule").pk
    library.comes_to_its_end(web, run, attempt=1)


def test_of_two_beats_the_other_goes_on_when_one_is_killed(library, web):
    library.worker()
    beats = [library.beat(f"beat{number}") for number in range(2)]
    for beat in beats:
        beat.wait_until_said("beat: Starting")
    beats[0].kill()
    with library.opened():
        due_soon(seconds=2)
    library.when_over(kind="recommend", trigger="schedule")
    with library.opened():
        run = Run.objects.get(kind="recommend", trigger="schedule").pk
    library.comes_to_its_end(web, run, attempt=1)


def test_what_is_due_while_the_broker_is_away_is_sent_when_it_is_back(library, web):
    library.worker()
    with library.opened():
        due_soon(seconds=4)
    beat = library.beat()
    library.broker.kill()
    beat.wait_until_said(f"“{NIGHTLY}” is due and waits")
    library.broker.start()
    library.when_over(kind="recommend", trigger="schedule")
    assert beat.said().count(SENT) == 1
    with library.opened():
        run = Run.objects.get(kind="recommend", trigger="schedule").pk
    library.comes_to_its_end(web, run, attempt=1)


@pytest.fixture
def many_books(library):
    rng = random.Random(2)
    words = [word for known in WORDS.values() for word in known.split()]
    with library.opened():
        Book.objects.bulk_create(
            Book(
                control_number=f"c{number:04}",
                title=" ".join(rng.sample(words, 3)),
                description=" ".join(rng.choices(words, k=12)),
            )
            for number in range(BOOKS)
        )


CHUNK = "classifier.services.classification.changes"


@pytest.mark.parametrize(
    "moment", [f"{CHUNK}.locked", f"after {CHUNK}.apply"], ids=["before", "not committed"]
)
@pytest.mark.parametrize("victim", ["helper", "first", "both"])
def test_of_two_workers_on_one_batch_one_is_killed_in_the_midst_of_a_chunk(
    library, web, many_books, victim, moment
):
    first = library.worker("first", hold_at="reclassify:classifying")
    library.beat()
    run = web.ask("reclassify")
    library.wait_until_held("first")
    helper = library.worker("helper", hold_at=f"reclassify_chunks:{moment}")
    library.wait_until_held("helper")
    with library.opened():
        assert Chunk.objects.exclude(taken_at=None).filter(done_at=None).count() == 1
    for name, worker in (("helper", helper), ("first", first)):
        if victim in (name, "both"):
            worker.kill()
    if victim != "helper":
        library.worker("second")
    library.go_on("first")
    library.go_on("helper")
    library.comes_to_its_end(web, run, attempt=1 if victim == "helper" else 2)
