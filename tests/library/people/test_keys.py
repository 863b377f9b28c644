"""The key ring and the canary: wrong keys are an error at the start, said so that it can be mended."""

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

from library.people.checks import keys_fit_the_database
from library.people.encryption.fields import UnreadableValueError
from library.people.encryption.keys import KeysError, key_ring
from library.people.models import KeyCanary
from library.people.selectors import search_borrowers
from library.people.services.key_check import (
    WrongKeysError,
    confirm_keys,
    ensure_canary,
    start_with_keys,
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
    """The canary of a database whose key is OLD."""
    KeyCanary.objects.all().delete()
    with keys(OLD):
        ensure_canary()
        return KeyCanary.objects.get()


@both_databases
def test_the_right_keys_are_confirmed(database):
    KeyCanary.objects.all().delete()
    with keys(OLD):
        ensure_canary()
        confirm_keys()
        ensure_canary()
        assert KeyCanary.objects.get().text == "canary"
    with keys(NEW, OLD):
        confirm_keys()
        assert problems() == []


def test_a_missing_key_is_found_when_the_library_starts(canary):
    with keys(NEW):
        with pytest.raises(WrongKeysError, match="encrypted with a key that is not in BORROWER_KEYS"):
            start_with_keys()
        (problem,) = problems()
    assert "Set BORROWER_KEYS, or the file of BORROWER_KEYS_FILE, to the keys" in problem


def test_another_index_key_is_found_when_the_library_starts_and_a_new_index_mends_it(canary):
    with keys(OLD):
        make_borrower(card_number="P1", name="Anna")
    with keys(OLD, index_key=NEW):
        with pytest.raises(WrongKeysError, match=r"manage\.py index_borrowers"):
            start_with_keys()
        assert len(problems()) == 1
        call_command("index_borrowers", stdout=io.StringIO())
        start_with_keys()
        assert problems() == []
        assert search_borrowers(query="anna").count() == 1


@pytest.mark.django_db
def test_a_start_remembers_the_keys_of_an_emptied_database():
    KeyCanary.objects.all().delete()
    with keys(OLD):
        start_with_keys()
    with keys(NEW), pytest.raises(WrongKeysError):
        start_with_keys()


@pytest.mark.django_db
def test_wrong_keys_do_not_become_the_database_s_own():
    KeyCanary.objects.all().delete()
    with keys(OLD):
        make_borrower(name="Anna")
    with keys(NEW), pytest.raises(UnreadableValueError):
        start_with_keys()
    assert not KeyCanary.objects.exists()


def test_a_database_without_tables_has_no_wrong_keys(tmp_path, django_db_blocker):
    config = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "new.sqlite3")}
    with django_db_blocker.unblock(), default_database(config):
        start_with_keys()
        assert problems() == []
        assert connection.introspection.table_names() == []


def test_a_database_that_does_not_answer_stops_no_start(tmp_path, django_db_blocker, caplog):
    config = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "no" / "folder.sqlite3")}
    with django_db_blocker.unblock(), default_database(config):
        start_with_keys()
        assert keys_fit_the_database() == []
    assert "could not be confirmed" in caplog.text


@pytest.mark.parametrize(
    ("ring", "index_key", "message"),
    [
        ("", OTHER, "BORROWER_KEYS is not set"),
        (" , ", OTHER, "BORROWER_KEYS holds no key"),
        (f"{OLD},{NEW[:-5]}", OTHER, "Key 2 of BORROWER_KEYS is no key"),
        ("passphrase", OTHER, "Key 1 of BORROWER_KEYS is no key"),
        ("é" * 44, OTHER, "Key 1 of BORROWER_KEYS is no key"),
        (OLD, "", "BORROWER_INDEX_KEY is not set"),
        (OLD, "short", "BORROWER_INDEX_KEY is shorter than 44 characters"),
    ],
)
def test_a_misspelt_key_is_named_and_not_repeated(settings, canary, ring, index_key, message):
    settings.BORROWER_KEYS_FILE = settings.BORROWER_INDEX_KEY_FILE = None
    with keys(ring, index_key=index_key):
        with pytest.raises(KeysError, match=message) as refusal:
            key_ring()
        assert [problem.partition(".")[0] for problem in problems()] == [
            refusal.value.message.partition(".")[0]
        ]
    written = [key for key in ring.replace(",", " ").split() if key]
    assert [key for key in written if key in refusal.value.message] == []


def test_a_file_of_keys_is_read_again_when_it_changes(settings, tmp_path):
    settings.BORROWER_KEYS, settings.BORROWER_KEYS_FILE = "", tmp_path / "keys"
    with pytest.raises(KeysError, match="The file of BORROWER_KEYS cannot be read"):
        key_ring()
    settings.BORROWER_KEYS_FILE.write_text(f"{OLD}\n")
    token = key_ring().encrypt("Anna")
    settings.BORROWER_KEYS_FILE.write_text(f"{NEW}\n{OLD}\n")
    assert (len(key_ring().keys), key_ring().decrypt(token)) == (2, "Anna")


def test_a_new_key_is_one():
    out = io.StringIO()
    call_command("new_borrower_key", stdout=out)
    key = out.getvalue().strip()
    Fernet(key)
    with keys(key, index_key=key):
        assert len(key_ring().keys) == 1


def run_python(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(data, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.thorough
def test_keys_are_made_at_first_use_and_every_way_to_start_refuses_others(tmp_path):
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


def test_production_starts_with_keys_given_and_no_others(tmp_path):
    production = {
        "DJANGO_SETTINGS_MODULE": "library.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "library.example",
    }
    given = {"BORROWER_KEYS": OLD, "BORROWER_INDEX_KEY": OTHER}
    for missing in given:
        some = {name: key for name, key in given.items() if name != missing}
        result = manage(tmp_path, "check", **production, **some)
        assert result.returncode != 0
        assert missing in result.stderr.splitlines()[-1]
    assert manage(tmp_path, "check", **production, **given).returncode == 0
    file = tmp_path / "key"
    file.write_text(os.linesep.join([NEW, OLD]))
    from_files = {f"{name}_FILE": str(file) for name in given}
    assert manage(tmp_path, "check", **production, **from_files).returncode == 0
