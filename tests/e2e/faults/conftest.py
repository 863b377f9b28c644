"""A library with a history, copied for each case, and the servers it runs on."""

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

from classifier.models import Batch
from library.celery import app
from library.scheduler import AdminScheduler
from tests.classifier.libraries import QUICK, make_library
from tests.conftest import default_database, migrate_database
from tests.e2e.faults.installations import QUICK_PARAMETERS, Installation, Web
from tests.e2e.faults.servers import PostgreSQL, Redis
from tests.e2e.processes import manage

#: Two versions, so that a third leaves one to prune; suggestions for every book, whose undoing restores those
#: of the first version; recommendations.
HISTORY = f"""
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
class Template:
    """The library that each case copies."""

    folder: Path
    database: PostgreSQL
    batch: int
    """A batch that can be undone."""


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgreSQL]:
    """A database server that tests may kill; a test that kills it starts it again."""
    with tempfile.TemporaryDirectory(prefix="library-faults-") as folder:
        server = PostgreSQL(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def template(database_server, tmp_path_factory, django_db_blocker) -> Template:
    """A library with two model versions and their suggestions."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    shutil.copytree(django_settings.BORROWER_KEYS_FILE.parent, folder / "secrets")
    url = database_server.url()
    config = migrate_database(dj_database_url.parse(url), django_db_blocker)
    with django_db_blocker.unblock(), default_database(config):
        make_library()
        # Nothing is due except "Restart lost jobs", every second.
        AdminScheduler(app=app, lazy=True).update_from_dict(django_settings.CELERY_BEAT_SCHEDULE)
        PeriodicTask.objects.update(enabled=False)
        second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.filter(name="Restart lost jobs").update(
            enabled=True, interval=second, crontab=None
        )
    completed = manage(folder, "shell", "--no-imports", "-c", HISTORY, DATABASE_URL=url)
    assert (completed.returncode, completed.stderr) == (0, "")
    with django_db_blocker.unblock(), default_database(config):
        batch = Batch.objects.filter(state="applied").latest("pk").pk
    return Template(folder, database_server, batch)


@pytest.fixture
def queue_is_kept() -> bool:
    """True if the broker keeps its queue over a restart."""
    return True


@pytest.fixture
def library(
    request, template, queue_is_kept, tmp_path, settings, django_db_blocker
) -> Iterator[Installation]:
    """The library of one case; only its servers are started."""
    name, server = "a_case", template.database
    server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    # FILE_COPY: with the default strategy the next numbers of a sequence count as written to the log. They
    # are for the original only, and after a crash they would be handed out twice.
    server.execute(f"CREATE DATABASE {name} TEMPLATE postgres STRATEGY FILE_COPY")
    folder = shutil.copytree(template.folder, tmp_path / "data")
    settings.DATA_DIR, settings.MODELS_DIR = folder, folder / "models"

    @contextmanager
    def open_database() -> Iterator[None]:
        config = dj_database_url.parse(server.url(name))
        with django_db_blocker.unblock(), default_database(config):
            yield

    # Not under tmp_path: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="library-faults-") as sockets:
        broker = Redis(Path(sockets), persistent=queue_is_kept)
        parameters = QUICK_PARAMETERS | {"undo": {"batch": template.batch}}
        installation = Installation(folder, server, name, broker, open_database, parameters)
        try:
            yield installation
        finally:
            installation.stop()
            broker.stop()


@pytest.fixture
def web(library) -> Iterator[Web]:
    with library.start_web() as web:
        yield web
