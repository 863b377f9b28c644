"""The key ring and the canary: wrong keys stop startup with an error that says how to fix them."""

import io
import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection

from library.people.checks import check_keys
from library.people.encryption.fields import UnreadableValueError
from library.people.encryption.keys import KeysError, key_ring
from library.people.models import KeyCanary
from library.people.selectors import search_borrowers
from library.people.services.key_check import (
    WrongKeysError,
    confirm_keys,
    confirm_startup_keys,
    ensure_canary,
)
from tests.conftest import default_database
from tests.databases import both_databases
from tests.e2e.processes import ROOT, environment, manage
from tests.factories import make_borrower
from tests.library.people.keyrings import NEW, OLD, OTHER, keys


def problems() -> list[str]:
    return [problem.msg for problem in run_checks(databases=["default"]) if problem.id == "people.E001"]


@pytest.fixture
def canary(db) -> KeyCanary:
    """The canary of a database encrypted with OLD."""
    KeyCanary.objects.all().delete()
    with keys(OLD):
        ensure_canary()
        return KeyCanary.objects.get()


@both_databases
def test_right_keys_pass(database):
    KeyCanary.objects.all().delete()
    with keys(OLD):
        ensure_canary()
        confirm_keys()
        ensure_canary()
        assert KeyCanary.objects.get().text == "canary"
    with keys(NEW, OLD):
        confirm_keys()
        assert problems() == []


def test_missing_key_stops_startup(canary):
    with keys(NEW):
        with pytest.raises(WrongKeysError, match="encrypted with a key that is not in BORROWER_KEYS"):
            confirm_startup_keys()
        (problem,) = problems()
    assert "Set BORROWER_KEYS, or the file named in BORROWER_KEYS_FILE, to the keys" in problem


def test_new_index_key_stops_startup_until_borrowers_are_indexed(canary):
    with keys(OLD):
        make_borrower(card_number="P1", name="Anna")
    with keys(OLD, index_key=NEW):
        with pytest.raises(WrongKeysError, match=r"manage\.py index_borrowers"):
            confirm_startup_keys()
        assert len(problems()) == 1
        call_command("index_borrowers", stdout=io.StringIO())
        confirm_startup_keys()
        assert problems() == []
        assert search_borrowers(query="anna").count() == 1


@pytest.mark.django_db
def test_startup_records_the_keys_of_an_empty_database():
    KeyCanary.objects.all().delete()
    with keys(OLD):
        confirm_startup_keys()
    with keys(NEW), pytest.raises(WrongKeysError):
        confirm_startup_keys()


@pytest.mark.django_db
def test_startup_does_not_record_wrong_keys():
    KeyCanary.objects.all().delete()
    with keys(OLD):
        make_borrower(name="Anna")
    with keys(NEW), pytest.raises(UnreadableValueError):
        confirm_startup_keys()
    assert not KeyCanary.objects.exists()


def test_database_without_tables_passes(tmp_path, django_db_blocker):
    config = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "new.sqlite3")}
    with django_db_blocker.unblock(), default_database(config):
        confirm_startup_keys()
        assert problems() == []
        assert connection.introspection.table_names() == []


def test_unavailable_database_does_not_stop_startup(tmp_path, django_db_blocker, caplog):
    config = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "no" / "folder.sqlite3")}
    with django_db_blocker.unblock(), default_database(config):
        confirm_startup_keys()
        assert check_keys() == []
    assert "could not be confirmed" in caplog.text


@pytest.mark.parametrize(
    ("ring", "index_key", "message"),
    [
        ("", OTHER, "BORROWER_KEYS is not set"),
        (" , ", OTHER, "BORROWER_KEYS contains no keys"),
        (f"{OLD},{NEW[:-5]}", OTHER, "Key 2 in BORROWER_KEYS is not 32 bytes"),
        ("passphrase", OTHER, "Key 1 in BORROWER_KEYS is not 32 bytes"),
        ("é" * 44, OTHER, "Key 1 in BORROWER_KEYS is not 32 bytes"),
        (OLD, "", "BORROWER_INDEX_KEY is not set"),
        (OLD, "short", "BORROWER_INDEX_KEY is shorter than 44 characters"),
    ],
)
def test_malformed_key_is_named_but_not_shown(settings, canary, ring, index_key, message):
    settings.BORROWER_KEYS_FILE = settings.BORROWER_INDEX_KEY_FILE = None
    with keys(ring, index_key=index_key):
        with pytest.raises(KeysError, match=message) as refusal:
            key_ring()
        assert [problem.partition(".")[0] for problem in problems()] == [
            refusal.value.message.partition(".")[0]
        ]
    ring_keys = [key for key in ring.replace(",", " ").split() if key]
    assert [key for key in ring_keys if key in refusal.value.message] == []


def test_changed_key_file_is_read_again(settings, tmp_path):
    settings.BORROWER_KEYS, settings.BORROWER_KEYS_FILE = "", tmp_path / "keys"
    with pytest.raises(KeysError, match="Cannot read the file for BORROWER_KEYS"):
        key_ring()
    settings.BORROWER_KEYS_FILE.write_text(f"{OLD}\n")
    token = key_ring().encrypt("Anna")
    settings.BORROWER_KEYS_FILE.write_text(f"{NEW}\n{OLD}\n")
    assert (len(key_ring().keys), key_ring().decrypt(token)) == (2, "Anna")


def test_new_key_is_valid():
    out = io.StringIO()
    call_command("new_borrower_key", stdout=out)
    key = out.getvalue().strip()
    Fernet(key)
    with keys(key, index_key=key):
        assert len(key_ring().keys) == 1


def run_python(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(data, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.thorough
def test_first_use_creates_keys_and_wrong_keys_stop_commands(tmp_path):
    assert manage(tmp_path, "migrate", "people").returncode == 0
    secrets = tmp_path / "secrets"
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in secrets.iterdir()}
    assert modes == {"borrower_keys": 0o600, "borrower_index_key": 0o600}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    (secrets / "borrower_keys").write_text(NEW)
    worker = ("-m", "celery", "-A", "library", "worker", "--pool", "solo")
    for command in (
        ("manage.py", "migrate", "people"),
        ("manage.py", "check", "--database", "default"),
        ("manage.py", "runserver", "--noreload", "0"),
        ("-c", "import library.wsgi"),
        worker,
    ):
        result = run_python(tmp_path, *command)
        assert result.returncode != 0, command
        assert "encrypted with a key that is not in BORROWER_KEYS" in result.stderr, command
    assert "Traceback" not in result.stderr


def test_production_requires_both_keys(tmp_path):
    production = {
        "DJANGO_SETTINGS_MODULE": "library.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "library.example",
    }
    required = {"BORROWER_KEYS": OLD, "BORROWER_INDEX_KEY": OTHER}
    for missing in required:
        present = {name: key for name, key in required.items() if name != missing}
        result = manage(tmp_path, "check", **production, **present)
        assert result.returncode != 0
        assert missing in result.stderr.splitlines()[-1]
    assert manage(tmp_path, "check", **production, **required).returncode == 0
    file = tmp_path / "key"
    file.write_text(os.linesep.join([NEW, OLD]))
    from_files = {f"{name}_FILE": str(file) for name in required}
    assert manage(tmp_path, "check", **production, **from_files).returncode == 0
