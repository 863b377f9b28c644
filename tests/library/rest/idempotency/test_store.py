"""Idempotency records: locks, leases and retention."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import InterfaceError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.catalogue.models import Branch
from library.rest import tasks
from library.rest.idempotency.store import (
    LEASE,
    LOCK_GRACE,
    RETENTION,
    IdempotencyKey,
    KeyReusedError,
    RequestInProgressError,
    acquire,
    lock,
    prune_idempotency_records,
    save,
)
from tests.databases import in_thread, on_postgresql, rolled_back
from tests.factories import NOW


@pytest.mark.django_db
def test_responses_are_stored_for_a_day():
    key = IdempotencyKey("1", "a")
    record = acquire(key=key, request=b"x", now=NOW)
    save(record=record, key=key, response=b"done")
    record = acquire(key=key, request=b"x", now=NOW + RETENTION - timedelta(seconds=1))
    assert key.decrypt(record.response) == b"done"
    assert prune_idempotency_records(now=NOW + RETENTION - timedelta(seconds=1)) == {"removed": 0}
    assert acquire(key=key, request=b"y", now=NOW + RETENTION).response == ""
    assert prune_idempotency_records(now=NOW + 2 * RETENTION) == {"removed": 1}


class Worker:
    """One attempt to send the request: acquire the key, then process and save in one transaction."""

    def __init__(self):
        self.record = self.response = None

    def start(self, now):
        try:
            record = acquire(key=KEY, request=b"x", now=now)
        except RequestInProgressError:
            return
        if record.response:
            self.response = KEY.decrypt(record.response)
        else:
            self.record = record

    def finish(self):
        if self.record is None:
            return
        record, self.record = self.record, None
        try:
            with transaction.atomic():
                number = Branch.objects.count()
                Branch.objects.create(code=f"effect-{number}", name="x")
                save(record=record, key=KEY, response=str(number).encode())
                self.response = str(number).encode()
        except RequestInProgressError:
            self.response = None


KEY = IdempotencyKey("1", "a")
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["start", "finish", "die", "wait"])), max_size=25
)


@pytest.mark.django_db
@given(steps=STEPS)
def test_any_interleaving_has_one_effect(steps):
    with rolled_back():
        now, workers, responses = NOW, [Worker() for _ in range(4)], set()
        for number, step in [*steps, (0, "wait"), (0, "die"), (0, "start"), (0, "finish")]:
            if step == "start":
                workers[number].start(now)
            elif step == "finish":
                workers[number].finish()
            elif step == "die":
                workers[number] = Worker()
            else:
                now += LEASE
            responses |= {worker.response for worker in workers} - {None}
        assert Branch.objects.count() == 1
        assert responses == {b"0"}


@on_postgresql
@pytest.mark.parametrize("outcome", ["commit", "lost connection"])
def test_lock_lasts_as_long_as_its_connection(database, outcome):
    locked, over = threading.Event(), threading.Event()

    def first():
        record = acquire(key=KEY, request=b"x", now=NOW)
        with transaction.atomic():
            lock(record=record)
            locked.set()
            over.wait()
            if outcome == "commit":
                save(record=record, key=KEY, response=b"done")
            else:
                connection.connection.close()  # like a restart of the server
                raise InterfaceError

    with ThreadPoolExecutor(1) as threads:
        work = in_thread(threads, first)
        locked.wait()
        with pytest.raises(RequestInProgressError):
            acquire(key=KEY, request=b"x", now=NOW + LOCK_GRACE)
        over.set()
        if outcome == "commit":
            work.result()
            assert KEY.decrypt(acquire(key=KEY, request=b"x", now=NOW).response) == b"done"
        else:
            with pytest.raises(InterfaceError):
                work.result()
            assert acquire(key=KEY, request=b"x", now=NOW + LOCK_GRACE).response == ""


@on_postgresql
def test_new_holder_is_not_considered_dead(database):
    acquire(key=KEY, request=b"x", now=NOW)
    with pytest.raises(RequestInProgressError):
        acquire(key=KEY, request=b"x", now=NOW + LOCK_GRACE / 2)
    assert acquire(key=KEY, request=b"x", now=NOW + LOCK_GRACE).response == ""


@pytest.mark.django_db
def test_response_saved_in_between_is_not_overwritten(monkeypatch):
    record = acquire(key=KEY, request=b"x", now=NOW)

    def save_in_between(record, now):
        save(record=record, key=KEY, response=b"done")
        return True

    with monkeypatch.context() as patch:
        patch.setattr("library.rest.idempotency.store._is_abandoned", save_in_between)
        with pytest.raises(RequestInProgressError):
            acquire(key=KEY, request=b"x", now=NOW + LEASE)
    record.refresh_from_db()
    assert KEY.decrypt(record.response) == b"done"


@pytest.mark.django_db
def test_key_reused_during_the_first_request_is_refused():
    acquire(key=KEY, request=b"x", now=NOW)
    with pytest.raises(KeyReusedError):
        acquire(key=KEY, request=b"y", now=NOW)


@pytest.mark.django_db
def test_task_prunes(monkeypatch):
    acquire(key=KEY, request=b"x", now=timezone.now() - RETENTION)
    assert tasks.prune_idempotency_records() == {"removed": 1}
