"""The audit log itself: append-only in the database, pruning, and the contents of entries."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.people import tasks
from library.people.models import AuditedRecord, AuditEntry
from library.people.selectors import entries_for_record
from library.people.services.audit import prune_audit, system_user
from tests.databases import both_databases, rolled_back
from tests.factories import make_borrower
from tests.library.people.audit_log import anonymous_entry, entries
from tests.logins import make_librarian


@both_databases
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=179)])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE people_auditentry SET user_name = 'x'",
        "UPDATE people_auditentry SET path = '/y' WHERE id = {pk}",
        "DELETE FROM people_auditentry",
        "DELETE FROM people_auditentry WHERE id = {pk}",
        "UPDATE people_auditedrecord SET key = '8'",
        "DELETE FROM people_auditedrecord WHERE entry_id = {pk}",
    ],
)
def test_database_refuses_updates_and_deletion_of_young_entries(database, statement, age):
    entry = anonymous_entry(object_key=7, listed=[8, 9], now=timezone.now() - age)
    with (
        pytest.raises(DatabaseError, match="The audit log is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(pk=entry.pk))
    assert entries() == [("viewed", "people.borrower", "7", "8 9")]


@pytest.mark.parametrize(
    ("database", "statement"),
    [
        (
            "sqlite",
            "REPLACE INTO people_auditentry "
            "SELECT id, created_at, '', '', action, '', '', '' FROM people_auditentry",
        ),
        ("sqlite", "REPLACE INTO people_auditedrecord SELECT id, '1', entry_id FROM people_auditedrecord"),
        (
            "sqlite",
            "REPLACE INTO people_auditedrecord (key, entry_id) "
            "SELECT key, entry_id FROM people_auditedrecord",
        ),
        ("postgresql", "TRUNCATE people_auditentry CASCADE"),
        ("postgresql", "TRUNCATE people_auditedrecord"),
    ],
    indirect=["database"],
)
def test_database_refuses_replace_and_truncate(database, statement):
    anonymous_entry(object_key=7, listed=[8, 9])
    with (
        pytest.raises(DatabaseError, match="The audit log is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert entries() == [("viewed", "people.borrower", "7", "8 9")]


@both_databases
def test_database_refuses_updates_of_old_entries(database):
    anonymous_entry(now=timezone.now() - timedelta(days=4000), listed=[1])
    with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
        AuditEntry.objects.update(path="/y")
    with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
        AuditedRecord.objects.update(key="2")


@both_databases
@pytest.mark.parametrize(("months", "kept"), [(0, 5), (6, 1), (24, 3)])
def test_pruning_deletes_old_entries_and_is_recorded(database, settings, months, kept):
    settings.AUDIT_MONTHS = months
    now = timezone.now()
    days = [1, 183, 729, 731, 2000]
    for age in days:
        anonymous_entry(object_key=age, now=now - timedelta(days=age), listed=[1, 2])
    assert prune_audit(now=now) == {"removed": 5 - kept}
    rows = AuditEntry.objects.order_by("pk").values_list("object_key", "user_name", "path")
    own_entry = [] if months == 0 else [("", system_user(), "manage.py prune_audit")]
    assert list(rows) == [(str(age), "", "/") for age in days[:kept]] + own_entry
    assert AuditedRecord.objects.count() == 2 * kept
    assert tasks.prune_audit() == {"removed": 0}


@both_databases
@pytest.mark.parametrize("listed", [[], [1, 2]])
def test_wrong_clock_prunes_no_young_entry(database, listed):
    anonymous_entry(now=timezone.now(), listed=listed)
    with pytest.raises(DatabaseError, match="younger than 180 days"), transaction.atomic():
        prune_audit(now=timezone.now() + timedelta(days=4000))
    assert [row[3] for row in entries()] == [" ".join(map(str, listed))]


@pytest.mark.django_db
def test_command_prunes(capsys):
    anonymous_entry(now=timezone.now() - timedelta(days=1000))
    call_command("prune_audit", "--json")
    assert json.loads(capsys.readouterr().out) == {"removed": 1}


@pytest.mark.parametrize("months", ["-1", "1", "5"])
def test_retention_below_the_database_minimum_stops_startup(months):
    code = "import library.settings.base"
    environment = os.environ | {"AUDIT_MONTHS": months}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert process.returncode == 1
    assert "AUDIT_MONTHS" in process.stderr.splitlines()[-1]


@pytest.mark.django_db
def test_dumpdata_is_recorded(capsys):
    make_borrower(name="Zoë")
    call_command("dumpdata", "people.Borrower")
    assert "Zoë" in json.loads(capsys.readouterr().out)[0]["fields"]["name"]
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.user_name, entry.user_key) == ("exported", system_user(), "")
    assert entry.path == "manage.py dumpdata people.Borrower"


@both_databases
def test_entry_is_rolled_back_with_the_change(database):
    with rolled_back():
        anonymous_entry(listed=[1])
    assert not AuditEntry.objects.exists()


@both_databases
def test_entry_without_its_records_is_not_written(database, monkeypatch):
    def fail(rows):
        raise DatabaseError("disk full")

    monkeypatch.setattr(AuditedRecord.objects, "bulk_create", fail)
    with pytest.raises(DatabaseError):
        anonymous_entry(listed=[1])
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_user_is_stored_as_text_and_outlives_the_account():
    user = make_librarian()
    key = str(user.pk)
    anonymous_entry(user=user)
    user.delete()
    assert AuditEntry.objects.values_list("user_key", "user_name").get() == (key, "librarian")


@pytest.mark.django_db
@given(listed=st.lists(st.integers(1, 10**6), max_size=200), key=st.integers(1, 10**6))
def test_record_is_found_in_the_lists_that_showed_it(listed, key):
    with rolled_back():
        entry = anonymous_entry(listed=listed)
        assert entry.record_keys == list(dict.fromkeys(map(str, listed)))
        assert list(entries_for_record(object_key=str(key))) == ([entry] if key in listed else [])
        for shown in listed:
            assert list(entries_for_record(object_key=str(shown))) == [entry]


@pytest.mark.django_db
def test_query_string_and_long_paths_are_cut_off():
    assert anonymous_entry(path=f"/a/?q=Ann{'x' * 600}").path == "/a/"
    assert len(anonymous_entry(path="/" * 600).path) == 500
