"""Key rotation while the library is in use."""

import io
import json
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from library.people.models import Borrower, KeyCanary
from library.people.selectors import search_borrowers
from library.people.services import key_rotation
from library.people.services.borrowers import save_borrower
from library.people.services.key_check import WrongKeysError, confirm_keys, ensure_canary
from library.people.services.key_rotation import UnreadableRowsError, rotate_keys
from tests.databases import both_databases, in_thread
from tests.factories import make_borrower
from tests.library.people.keyrings import NEW, OLD, keys, put_token, token


@pytest.fixture
def people(database) -> list[Borrower]:
    """Three borrowers and the canary, all encrypted with the old key."""
    KeyCanary.objects.all().delete()
    with keys(OLD):
        ensure_canary()
        return [make_borrower(name=name, address="1 Long Lane") for name in ("Anna", "Bo", "Chen")]


def names() -> list[str]:
    return list(Borrower.objects.order_by("pk").values_list("name", flat=True))


@contextmanager
def before_the_first_update(work):
    """Call `work` right before the first UPDATE of a borrower, after its row was read."""
    waiting = [work]

    def wrapper(execute, sql, params, many, context):
        if waiting and sql.startswith('UPDATE "people_borrower"'):
            waiting.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield
    assert not waiting


@both_databases
def test_new_key_alone_decrypts_everything_after_rotation(people):
    with keys(NEW, OLD):
        assert rotate_keys() == {"rows": 3, "reencrypted": 3, "keys": 2}
    with keys(NEW):
        confirm_keys()
        assert names() == ["Anna", "Bo", "Chen"]
        assert [b.address for b in Borrower.objects.all()] == ["1 Long Lane"] * 3
        assert search_borrowers(query="anna").count() == 1
    with keys(OLD), pytest.raises(WrongKeysError):
        confirm_keys()


@both_databases
def test_second_rotation_writes_nothing(people):
    with keys(NEW, OLD):
        rotate_keys()
        before = [token(borrower) for borrower in people]
        assert rotate_keys() == {"rows": 3, "reencrypted": 0, "keys": 2}
    assert [token(borrower) for borrower in people] == before


@both_databases
def test_interrupted_rotation_continues(people, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 1)

    def stop_after_the_first(phase, done, total):
        assert (phase, total) == ("re-encrypting borrowers", 3)
        raise KeyboardInterrupt

    with keys(NEW, OLD):
        with pytest.raises(KeyboardInterrupt):
            rotate_keys(progress=stop_after_the_first)
        confirm_keys()
        done = token(people[0])
        assert rotate_keys()["reencrypted"] == 2
    assert token(people[0]) == done
    with keys(NEW):
        assert names() == ["Anna", "Bo", "Chen"]


@both_databases
@pytest.mark.parametrize("ring", [(NEW, OLD), (OLD,)], ids=["edited with the new key", "with the old one"])
def test_concurrent_edit_is_kept(people, thread, ring):
    def edit():
        with keys(*ring):
            people[0].name = "Anna Edited"
            save_borrower(borrower=people[0])

    with keys(NEW, OLD), before_the_first_update(lambda: in_thread(thread, edit).result()):
        rotate_keys()
    with keys(NEW):
        assert names() == ["Anna Edited", "Bo", "Chen"]
        assert search_borrowers(query="edited").count() == 1


@both_databases
def test_concurrent_deletion_is_kept(people, thread):
    with keys(NEW, OLD):
        delete = Borrower.objects.filter(pk=people[0].pk).delete
        with before_the_first_update(lambda: in_thread(thread, delete).result()):
            assert rotate_keys()["reencrypted"] == 2
        assert names() == ["Bo", "Chen"]


@both_databases
def test_late_writes_with_an_old_key_are_rotated(people, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 1)
    late = []

    def write_behind(phase, done, total):
        if done == 3 and not late:
            late.append(phase)
            with keys(OLD):
                make_borrower(name="Late")
                Borrower.objects.filter(pk=people[0].pk).update(name="Anna Edited")

    with keys(NEW, OLD):
        rotate_keys(progress=write_behind)
    with keys(NEW):
        assert names() == ["Anna Edited", "Bo", "Chen", "Late"]


@both_databases
def test_unreadable_value_is_named_and_the_rest_is_rotated(people):
    put_token(people[1], "damaged")
    with (
        keys(NEW, OLD),
        pytest.raises(UnreadableRowsError, match="keep the old keys until then") as refusal,
    ):
        rotate_keys()
    assert refusal.value.extra == {
        "unreadable": [f"people.borrower {people[1].pk} name"],
        "reencrypted": 3,
    }
    assert token(people[1]) == "damaged"
    with keys(NEW):
        assert Borrower.objects.get(pk=people[2].pk).name == "Chen"
        assert Borrower.objects.defer("name").get(pk=people[1].pk).address == "1 Long Lane"
        # The canary is still encrypted with the old key, so a start without it fails.
        with pytest.raises(WrongKeysError):
            confirm_keys()
    with keys(OLD):
        assert KeyCanary.objects.get().text == "canary"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_command_reports_the_result(people):
    with keys(NEW, OLD):
        out = io.StringIO()
        call_command("rotate_borrower_keys", stdout=out)
        assert out.getvalue() == (
            "Borrowers re-encrypted with the first key: 3 of 3.\n"
            "The keys after it may now be removed from BORROWER_KEYS.\n"
        )
        out = io.StringIO()
        call_command("rotate_borrower_keys", json=True, stdout=out)
        assert json.loads(out.getvalue()) == {"rows": 3, "reencrypted": 0, "keys": 2}
        put_token(people[0], "damaged")
        out = io.StringIO()
        with pytest.raises(CommandError, match="no key in BORROWER_KEYS can decrypt"):
            call_command("rotate_borrower_keys", json=True, stdout=out)
        assert json.loads(out.getvalue())["unreadable"] == [f"people.borrower {people[0].pk} name"]
