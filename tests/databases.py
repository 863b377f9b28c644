"""Choose the kinds of database a test runs on; roll back; use several connections."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

Result = TypeVar("Result")

both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back what the block writes: to the database, all examples of a Hypothesis test are one test."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def in_thread(threads: Executor, work: Callable[[], Result]) -> Future[Result]:
    """Start work in a thread with its own connection, like another process."""

    def work_and_close() -> Result:
        try:
            return work()
        finally:
            connection.close()

    return threads.submit(work_and_close)


def wait_until_blocked(*works: Future[Any]) -> None:
    """Wait until each work that is not done waits for a lock of PostgreSQL."""
    waiting = 0
    with connection.cursor() as cursor:
        while waiting < sum(not work.done() for work in works):
            # Unlike pg_stat_activity, pg_locks is current even within a transaction.
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
