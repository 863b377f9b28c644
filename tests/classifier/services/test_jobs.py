"""Execution of runs: outcomes, skipping, cancellation and loss."""

from datetime import timedelta

import pytest

from classifier.errors import (
    AlreadyRunningError,
    ClassifierError,
    RunCancelledError,
    RunLostError,
)
from classifier.models import ModelVersion, Recommendation, Run, Suggestion
from classifier.services import jobs
from classifier.services.runs import lifecycle
from tests.classifier.factories import make_run
from tests.classifier.libraries import QUICK, make_library
from tests.databases import both_databases
from tests.factories import NOW, make_book


def open_run(**options):
    return lifecycle.open_run(**{"kind": "train", "trigger": "manual", "now": NOW} | options)


@pytest.mark.django_db
def test_failed_and_errored_runs(settings, caplog):
    run = jobs.execute_run(run_id=open_run()[0].pk)
    assert (run.status, run.traceback) == ("failed", "")
    assert run.error == "0 of the books have a category; learning needs 10 at least."
    assert caplog.records == []
    make_library()
    settings.MODELS_DIR = None  # an impossible value: a bug
    run = jobs.execute_run(run_id=open_run(parameters={"settings": list(QUICK)})[0].pk)
    assert run.status == "errored"
    assert run.error.startswith("TypeError: ")
    assert run.traceback.startswith("Traceback (most recent call last):")
    assert [record.getMessage() for record in caplog.records] == [f"Run {run.pk} ended with an error"]
    assert not ModelVersion.objects.exists()


def train(**options):
    return jobs.run_here(kind="train", now=NOW, parameters={"settings": list(QUICK)}, **options)


@pytest.mark.django_db
def test_unchanged_run_is_skipped(tmp_path):
    make_library()
    first = train()
    assert Run.objects.get().result["version"] == first["version"]
    again = train()
    message = f"Nothing has changed since job {Run.objects.earliest('pk').pk}."
    assert again == first | {"skipped": message}
    assert Run.objects.latest("pk").outcome == message
    assert train()["skipped"] == message  # not since the skipped run
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
            assert again == done | {"updated_lists": 1}  # of the borrower who lost one
        else:  # of the book that lost it
            assert (again["books"], again["suggestions"]) == (1, 3)
    make_book()
    assert "skipped" not in jobs.run_here(kind="recommend", now=NOW)


@pytest.mark.django_db
def test_damaged_version_is_trained_again(settings):
    make_library()
    version = train()["version"]
    (settings.MODELS_DIR / version / "manifest.json").unlink()
    assert train()["version"] != version


@pytest.mark.django_db
def test_run_after_a_cancelled_one_is_not_skipped():
    make_library()
    train()
    make_run(status="cancelled", finished_at=NOW + timedelta(days=40_000))
    assert "skipped" not in train()


@pytest.mark.django_db
def test_command_beside_a_running_job_is_refused():
    running = make_run(status="running", progress=0.4)
    with pytest.raises(AlreadyRunningError) as caught:
        train()
    assert caught.value.message == (
        f"Job {running.pk} (Train model) has been running since 2024-06-01 12:00 UTC (40% done). Wait for it "
        "to finish, or cancel it on its page in the admin."
    )
    assert Run.objects.get() == running


@both_databases
def test_cancellation_leaves_nothing_half_written(database, settings):
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
def test_lost_run_stores_nothing(database, settings):
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
def test_leftovers_of_a_killed_process_are_deleted(settings):
    make_library()
    left = settings.MODELS_DIR / ".new-abc"
    left.mkdir(parents=True)
    theirs = settings.MODELS_DIR / "private folder"
    theirs.mkdir()
    version = train()["version"]
    assert {folder.name for folder in settings.MODELS_DIR.iterdir()} == {version, theirs.name}


@pytest.mark.django_db
def test_a_wrong_parameter_fails_the_run():
    with pytest.raises(ClassifierError, match="must be 1 or more"):
        jobs.run_here(kind="recommend", now=NOW, parameters={"n": 0})
    assert Run.objects.get().status == "failed"
