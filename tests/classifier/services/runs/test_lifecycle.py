"""Life of a run on real databases: concurrency, recovery, skipping."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from django.db import IntegrityError, transaction

from classifier.errors import (
    RunCancelledError,
    RunLostError,
    RunOverError,
    SettingError,
)
from classifier.models import Run
from classifier.services.runs import lifecycle
from classifier.services.runs.heartbeat import Heartbeat
from tests.classifier.factories import make_run
from tests.databases import both_databases, in_thread
from tests.factories import NOW

LATER = NOW + timedelta(hours=1)


def open_run(**options):
    return lifecycle.open_run(**{"kind": "train", "trigger": "manual", "now": NOW} | options)


def repeat(step):
    while True:
        step()


@both_databases
def test_concurrent_requests_share_one_run(database):
    with ThreadPoolExecutor(4) as threads:
        asked = [in_thread(threads, lambda: open_run(parameters={"seed": 0})) for _ in range(8)]
        opened = [done.result() for done in asked]
        run = Run.objects.get()
        assert {found.pk for found, _ in opened} == {run.pk}
        assert sum(is_new for _, is_new in opened) == 1
        claims = [in_thread(threads, lambda: lifecycle.claim(run_id=run.pk, now=NOW)) for _ in range(8)]
        assert sum(done.result() is not None for done in claims) == 1
    run.refresh_from_db()
    assert (run.status, run.attempt, run.started_at) == ("running", 1, NOW)


@both_databases
def test_one_run_per_kind(database):
    first, second = open_run()[0], open_run(parameters={"seed": 1})[0]
    other = open_run(kind="recommend")[0]
    running = lifecycle.claim(run_id=first.pk, now=NOW)
    assert lifecycle.claim(run_id=second.pk, now=NOW) is None
    assert lifecycle.waiting() == [other]
    assert lifecycle.claim(run_id=other.pk, now=NOW) is not None
    lifecycle.close(run=running, status="succeeded", now=LATER, result={"a": 1})
    assert lifecycle.waiting() == [second]
    assert lifecycle.claim(run_id=first.pk, now=LATER) is None
    assert lifecycle.claim(run_id=second.pk, now=LATER).attempt == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "running", "heartbeat_at": None},
        {"status": "succeeded", "finished_at": NOW - timedelta(seconds=1)},
        {"status": "succeeded", "finished_at": None},
        {"finished_at": NOW},
        {"progress": 1.01},
        {"progress": -0.01},
        {"status": "failed", "error": ""},
        {"status": "succeeded", "error": "No."},
        {"status": "failed", "traceback": "Traceback"},
    ],
    ids=str,
)
def test_inconsistent_run_is_refused_by_the_database(wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_run(**wrong)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (
            "dance",
            {},
            (
                "Unknown job type “dance”. Available types: train, tune, reclassify, undo, "
                "recommend, order_reviews, draw_map."
            ),
        ),
        ("undo", {}, "A “undo” job needs the parameter “batch”."),
        ("train", {"sed": 1}, "A “train” job has no parameter “sed”. Available parameters: seed, settings."),
        ("train", {"seed": True}, "Invalid value for parameter seed of a “train” job: true."),
        ("train", {"seed": None}, "Invalid value for parameter seed of a “train” job: null."),
        ("train", {"settings": [1]}, "Invalid value for parameter settings of a “train” job: [1]."),
        (
            "reclassify",
            {"output": "/etc/passwd"},
            "A “reclassify” job has no parameter “output”. Available parameters: ",
        ),
        ("tune", {"timeout": float("inf")}, "Invalid value for parameter timeout of a “tune” job: Infinity."),
    ],
)
def test_invalid_parameters_are_named(kind, given, says):
    with pytest.raises(SettingError) as caught:
        open_run(kind=kind, parameters=given)
    assert says in caught.value.message
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_force_applies_to_the_queued_run():
    open_run()
    run, is_new = open_run(force=True)
    assert (run.forced, is_new) == (True, False)


@pytest.mark.django_db
def test_cancel_a_queued_run():
    run = lifecycle.request_cancel(run=open_run()[0], now=LATER)
    assert (run.status, run.finished_at) == ("cancelled", LATER)
    assert lifecycle.claim(run_id=run.pk, now=LATER) is None
    with pytest.raises(RunOverError):
        lifecycle.request_cancel(run=run, now=LATER)


@both_databases
def test_heartbeat_writes_progress_and_detects_cancellation(database):
    run = lifecycle.claim(run_id=open_run()[0].pk, now=NOW)
    lifecycle.request_cancel(run=run, now=NOW)
    steps = count()
    heartbeat = Heartbeat(run=run, clock=lambda: LATER, interval=0.01)
    with heartbeat as progress, pytest.raises(RunCancelledError):
        repeat(lambda: progress("training: 1 of 2", min(next(steps), 9), 10))
    run.refresh_from_db()
    assert (run.status, run.phase, run.heartbeat_at) == ("running", "training", LATER)
    assert 0 < run.progress < 1


@both_databases
def test_lost_process_writes_nothing(database, settings):
    lost = lifecycle.claim(run_id=open_run()[0].pk, now=NOW)
    assert lifecycle.reap(now=NOW + timedelta(seconds=settings.RUN_HEARTBEAT_TIMEOUT)) == []
    assert lifecycle.reap(now=LATER) == [lost]
    assert lifecycle.claim(run_id=lost.pk, now=LATER).attempt == 2
    with pytest.raises(RunLostError):
        lifecycle.close(run=lost, status="succeeded", now=LATER)
    with Heartbeat(run=lost, interval=0.01) as progress, pytest.raises(RunLostError):
        repeat(lambda: progress("training", 1, 2))
    again = Run.objects.get()
    assert (again.status, again.heartbeat_at) == ("running", LATER)


@pytest.mark.django_db
def test_run_is_closed_after_three_lost_attempts():
    run = open_run()[0]
    for day in range(1, 4):
        now = NOW + timedelta(days=day)
        assert lifecycle.claim(run_id=run.pk, now=now).attempt == day
        lost = lifecycle.reap(now=now + timedelta(hours=1))
        assert lost == ([run] if day < 3 else [])
    run.refresh_from_db()
    assert (run.status, run.traceback) == ("errored", "")
    assert run.error.startswith("The job was interrupted 3 times: its worker stopped")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "status"), [({"cancel_requested": True}, "cancelled"), ({"trigger": "command"}, "errored")]
)
def test_a_silent_run_that_nobody_waits_for_is_closed(fields, status):
    run = make_run(status="running", **fields)
    assert lifecycle.reap(now=LATER) == []
    run.refresh_from_db()
    assert (run.status, run.finished_at) == (status, LATER)


@pytest.mark.django_db
def test_lost_message_is_sent_again(settings):
    lost = make_run(sent_at=NOW)
    make_run(kind="recommend", sent_at=LATER)
    make_run(kind="tune", status="running", heartbeat_at=LATER)
    make_run(kind="tune", parameters={"seed": 1})  # waits for the other
    assert lifecycle.reap(now=LATER) == [lost]
