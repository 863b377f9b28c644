"""The life of a run on real databases: what two processes do at once, what is taken back, what is skipped."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from django.db import IntegrityError, transaction

from classifier.errors import (
    AlreadyRunningError,
    ClassifierError,
    RunCancelledError,
    RunLostError,
    RunOverError,
    SettingError,
)
from classifier.models import ModelVersion, Recommendation, Run, Suggestion
from classifier.services import jobs
from classifier.services.runs import lifecycle
from classifier.services.runs.heartbeat import Reporter
from classifier.services.runs.pace import Pace
from tests.classifier.factories import make_run
from tests.classifier.libraries import QUICK, make_library
from tests.databases import both_databases, in_thread
from tests.factories import NOW, make_book

LATER = NOW + timedelta(hours=1)


def ask(**asked):
    return lifecycle.open_run(**{"kind": "train", "trigger": "manual", "now": NOW} | asked)


def work_for_ever(step):
    while True:
        step()


@both_databases
def test_asked_for_by_many_at_once_it_is_one_run_done_by_one(database):
    with ThreadPoolExecutor(4) as threads:
        asked = [in_thread(threads, lambda: ask(parameters={"seed": 0})) for _ in range(8)]
        opened = [done.result() for done in asked]
        run = Run.objects.get()
        assert {found.pk for found, _ in opened} == {run.pk}
        assert sum(is_new for _, is_new in opened) == 1
        claims = [in_thread(threads, lambda: lifecycle.claim(run_id=run.pk, now=NOW)) for _ in range(8)]
        assert sum(done.result() is not None for done in claims) == 1
    run.refresh_from_db()
    assert (run.status, run.attempt, run.started_at) == ("running", 1, NOW)


@both_databases
def test_one_of_a_kind_runs_and_the_next_waits_its_turn(database):
    first, second = ask()[0], ask(parameters={"seed": 1})[0]
    other = ask(kind="recommend")[0]
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
def test_the_database_refuses_a_run_that_cannot_be(wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_run(**wrong)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (
            "dance",
            {},
            "There is no run “dance”; there is train, tune, reclassify, undo, recommend, order_reviews, "
            "draw_map.",
        ),
        ("undo", {}, "A run “undo” needs the parameter “batch”."),
        ("train", {"sed": 1}, "A run “train” has no parameter “sed”; it has seed, settings."),
        ("train", {"seed": True}, "The parameter seed of a run “train” cannot be true."),
        ("train", {"seed": None}, "The parameter seed of a run “train” cannot be null."),
        ("train", {"settings": [1]}, "The parameter settings of a run “train” cannot be [1]."),
        ("reclassify", {"output": "/etc/passwd"}, "A run “reclassify” has no parameter “output”"),
        ("tune", {"timeout": float("inf")}, "The parameter timeout of a run “tune” cannot be Infinity."),
    ],
)
def test_what_a_run_cannot_be_asked_with_is_named(kind, given, says):
    with pytest.raises(SettingError) as caught:
        ask(kind=kind, parameters=given)
    assert says in caught.value.message
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_asked_for_by_force_a_queued_run_is_done_by_force():
    ask()
    run, is_new = ask(force=True)
    assert (run.forced, is_new) == (True, False)


@pytest.mark.django_db
def test_a_queued_run_is_cancelled_at_once_and_one_that_is_over_not_at_all():
    run = lifecycle.request_cancel(run=ask()[0], now=LATER)
    assert (run.status, run.finished_at) == ("cancelled", LATER)
    assert lifecycle.claim(run_id=run.pk, now=LATER) is None
    with pytest.raises(RunOverError):
        lifecycle.request_cancel(run=run, now=LATER)


@both_databases
def test_a_running_job_hears_that_it_is_cancelled_and_tells_how_far_it_is(database):
    run = lifecycle.claim(run_id=ask()[0].pk, now=NOW)
    lifecycle.request_cancel(run=run, now=NOW)
    steps = count()
    pace = Pace(kind="train")
    with (
        Reporter(run=run, pace=pace, clock=lambda: LATER, every=0.01) as progress,
        pytest.raises(RunCancelledError),
    ):
        work_for_ever(lambda: progress("learning: 1 of 2", min(next(steps), 9), 10))
    run.refresh_from_db()
    assert (run.status, run.phase, run.heartbeat_at) == ("running", "learning", LATER)
    assert 0 < run.progress < 1


@both_databases
def test_a_process_taken_for_dead_writes_nothing_more(database, settings):
    lost = lifecycle.claim(run_id=ask()[0].pk, now=NOW)
    assert lifecycle.reap(now=NOW + timedelta(seconds=settings.RUN_LOST_SECONDS)) == []
    assert lifecycle.reap(now=LATER) == [lost]
    assert lifecycle.claim(run_id=lost.pk, now=LATER).attempt == 2
    with pytest.raises(RunLostError):
        lifecycle.close(run=lost, status="succeeded", now=LATER)
    with Reporter(run=lost, pace=Pace(kind="train"), every=0.01) as progress, pytest.raises(RunLostError):
        work_for_ever(lambda: progress("learning", 1, 2))
    again = Run.objects.get()
    assert (again.status, again.heartbeat_at) == ("running", LATER)


@pytest.mark.django_db
def test_a_run_whose_workers_die_is_taken_up_three_times_and_then_closed_in_words():
    run = ask()[0]
    for day in range(1, 4):
        now = NOW + timedelta(days=day)
        assert lifecycle.claim(run_id=run.pk, now=now).attempt == day
        lost = lifecycle.reap(now=now + timedelta(hours=1))
        assert lost == ([run] if day < 3 else [])
    run.refresh_from_db()
    assert (run.status, run.traceback) == ("errored", "")
    assert run.error.startswith("It was cut off 3 times: its worker died")


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
def test_a_queued_run_whose_message_was_lost_is_sent_again_and_another_left_alone(settings):
    lost = make_run(sent_at=NOW)
    make_run(kind="recommend", sent_at=LATER)
    make_run(kind="tune", status="running", heartbeat_at=LATER)
    make_run(kind="tune", parameters={"seed": 1})  # waits for the other
    assert lifecycle.reap(now=LATER) == [lost]


@pytest.mark.django_db
def test_a_run_that_fails_as_libraries_may_expect_says_so_and_one_with_a_bug_keeps_its_traceback(
    settings, caplog
):
    run = jobs.work(run_id=ask()[0].pk)
    assert (run.status, run.traceback) == ("failed", "")
    assert run.error == "0 of the books have a category; learning needs 10 at least."
    assert caplog.records == []
    make_library()
    settings.MODELS_DIR = None  # as nobody can set it
    run = jobs.work(run_id=ask(parameters={"settings": list(QUICK)})[0].pk)
    assert run.status == "errored"
    assert run.error.startswith("TypeError: ")
    assert run.traceback.startswith("Traceback (most recent call last):")
    assert [record.getMessage() for record in caplog.records] == [f"Run {run.pk} ended with an error"]
    assert not ModelVersion.objects.exists()


def train(**options):
    return jobs.run_here(kind="train", now=NOW, parameters={"settings": list(QUICK)}, **options)


@pytest.mark.django_db
def test_what_has_not_changed_is_not_done_again_unless_by_force_or_for_a_file(tmp_path):
    make_library()
    first = train()
    assert Run.objects.get().result["version"] == first["version"]
    again = train()
    words = f"Nothing changed since run {Run.objects.earliest('pk').pk}."
    assert again == first | {"skipped": words}
    assert Run.objects.latest("pk").outcome == words
    assert train()["skipped"] == words  # not since the run that was skipped
    assert train(force=True)["version"] != first["version"]
    assert ModelVersion.objects.count() == 2

    for kind, rows in (("reclassify", Suggestion), ("recommend", Recommendation)):
        done = jobs.run_here(kind=kind, now=NOW)
        assert jobs.run_here(kind=kind, now=NOW).pop("skipped")
        file = tmp_path / f"{kind}.csv"
        assert "skipped" not in jobs.run_here(kind=kind, now=NOW, output=file)
        assert file.exists()
        jobs.run_here(kind=kind, now=NOW, force=True)
        rows.objects.first().delete()
        again = jobs.run_here(kind=kind, now=NOW)
        if kind == "recommend":
            assert again == done | {"made_anew": 1}  # of the borrower that lost one
        else:  # of the book that lost it
            assert (again["books"], again["suggestions"]) == (1, 3)
    make_book()
    assert "skipped" not in jobs.run_here(kind="recommend", now=NOW)


@pytest.mark.django_db
def test_a_version_that_cannot_be_loaded_any_more_is_trained_again(settings):
    make_library()
    version = train()["version"]
    (settings.MODELS_DIR / version / "manifest.json").unlink()
    assert train()["version"] != version


@pytest.mark.django_db
def test_after_a_run_that_was_cut_short_nothing_is_skipped():
    make_library()
    train()
    make_run(status="cancelled", finished_at=NOW + timedelta(days=40_000))
    assert "skipped" not in train()


@pytest.mark.django_db
def test_a_command_beside_a_running_one_says_so_and_leaves_nothing_queued():
    running = make_run(status="running", progress=0.4)
    with pytest.raises(AlreadyRunningError) as caught:
        train()
    assert caught.value.message == (
        f"Run {running.pk} (train) is running since 2024-06-01 12:00 UTC, 40% done. Wait for it, or cancel "
        "it on its page in the admin."
    )
    assert Run.objects.get() == running


@both_databases
def test_cancelled_between_steps_nothing_half_written_is_left(database, settings):
    make_library()
    train()
    jobs.run_here(kind="recommend", now=NOW)
    kept = set(Recommendation.objects.values_list("pk", flat=True))
    folders = set(settings.MODELS_DIR.iterdir())
    for kind in ("train", "recommend"):

        def cancel_at_saving(phase, done, total):
            if phase == "saving":
                raise RunCancelledError("Cancelled.")

        with pytest.raises(RunCancelledError):
            jobs.run_here(kind=kind, now=NOW, force=True, progress=cancel_at_saving)
        assert Run.objects.filter(kind=kind).latest("pk").status == "cancelled"
    assert set(settings.MODELS_DIR.iterdir()) == folders
    assert ModelVersion.objects.count() == 1
    assert set(Recommendation.objects.values_list("pk", flat=True)) == kept


@both_databases
def test_a_run_lost_while_it_worked_keeps_nothing_of_its_work(database, settings):
    make_library()

    def lose_at_saving(phase, done, total):
        if phase == "saving" and not done:
            Run.objects.update(attempt=2)

    with pytest.raises(RunLostError):
        train(progress=lose_at_saving)
    assert not ModelVersion.objects.exists()
    assert list(settings.MODELS_DIR.iterdir()) == []
    assert Run.objects.get().status == "running"


@pytest.mark.django_db
def test_what_a_killed_process_left_half_written_is_cleared_away(settings):
    make_library()
    left = settings.MODELS_DIR / ".new-abc"
    left.mkdir(parents=True)
    theirs = settings.MODELS_DIR / "kept by hand"
    theirs.mkdir()
    version = train()["version"]
    assert {folder.name for folder in settings.MODELS_DIR.iterdir()} == {version, theirs.name}


@pytest.mark.django_db
def test_a_wrong_parameter_fails_the_run():
    with pytest.raises(ClassifierError, match="must be 1 or more"):
        jobs.run_here(kind="recommend", now=NOW, parameters={"n": 0})
    assert Run.objects.get().status == "failed"
