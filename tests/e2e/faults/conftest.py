"""A library that has been at work for a while, to be copied for each case, and the servers it runs on."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dj_database_url
import pytest
from django.conf import settings as django_settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from classifier.models import Reclassification
from library.celery import app
from library.scheduler import AdminsScheduler
from tests.classifier.libraries import QUICK, make_library
from tests.conftest import default_database, migrated
from tests.e2e.faults.installations import QUICKLY, Installation
from tests.e2e.faults.servers import PostgreSQL, Redis
from tests.e2e.processes import manage

#: Two versions, so that a third one finds one to prune; suggestions of every book, which when they are undone
#: are those of the first version; recommendations.
AT_WORK = f"""
from django.utils import timezone
from classifier.services.jobs import run_here
for kind, parameters in [
    ("train", {{"seed": 1, "settings": {list(QUICK)}}}),
    ("reclassify", {{"include_categorised": True}}),
    ("train", {{"seed": 2, "settings": {list(QUICK)}}}),
    ("reclassify", {{"include_categorised": True}}),
    ("recommend", {{"n": 3}}),
]:
    run_here(kind=kind, parameters=parameters, now=timezone.now())
"""


@dataclass(frozen=True)
class Model:
    """What each case is a copy of."""

    folder: Path
    database: PostgreSQL
    batch: int
    """What may be undone."""


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgreSQL]:
    """A database server that may be killed at any time; who kills it starts it again."""
    with tempfile.TemporaryDirectory(prefix="library-faults-") as folder:
        server = PostgreSQL(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def model(database_server, tmp_path_factory, django_db_blocker) -> Model:
    """A library with two versions of the model and all that they suggest."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    shutil.copytree(django_settings.BORROWER_KEYS_FILE.parent, folder / "secrets")
    url = database_server.url()
    config = migrated(dj_database_url.parse(url), django_db_blocker)
    with django_db_blocker.unblock(), default_database(config):
        make_library()
        # Nothing is due but to look after runs, and that each second.
        AdminsScheduler(app=app, lazy=True).update_from_dict(django_settings.CELERY_BEAT_SCHEDULE)
        PeriodicTask.objects.update(enabled=False)
        second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.filter(name="look after runs").update(
            enabled=True, interval=second, crontab=None
        )
    made = manage(folder, "shell", "--no-imports", "-c", AT_WORK, DATABASE_URL=url)
    assert (made.returncode, made.stderr) == (0, "")
    with django_db_blocker.unblock(), default_database(config):
        batch = Reclassification.objects.filter(state="applied").latest("pk").pk
    return Model(folder, database_server, batch)


@pytest.fixture
def queue_is_kept() -> bool:
    """Whether the broker comes back with its queue."""
    return True


@pytest.fixture
def library(request, model, queue_is_kept, tmp_path, settings, django_db_blocker) -> Iterator[Installation]:
    """A library of the case's own, nothing of it started but its servers."""
    name, server = "a_case", model.database
    server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    # FILE_COPY: as PostgreSQL copies otherwise, the next numbers of a sequence count as written to its log.
    # They are for the original only, and after a crash they would be handed out twice.
    server.execute(f"CREATE DATABASE {name} TEMPLATE postgres STRATEGY FILE_COPY")
    folder = shutil.copytree(model.folder, tmp_path / "data")
    settings.DATA_DIR, settings.MODELS_DIR = folder, folder / "models"

    @contextmanager
    def opened() -> Iterator[None]:
        config = dj_database_url.parse(server.url(name))
        with django_db_blocker.unblock(), default_database(config):
            yield

    # Not under tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="library-faults-") as sockets:
        broker = Redis(Path(sockets), keeps=queue_is_kept)
        parameters = QUICKLY | {"undo": {"batch": model.batch}}
        installation = Installation(folder, server, name, broker, opened, parameters)
        try:
            yield installation
        finally:
            installation.stop()
            broker.stop()
