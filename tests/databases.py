"""Which kinds of database a test runs on; an empty one for each example; several connections to one."""

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
def undone() -> Iterator[None]:
    """Undo what is written within: Hypothesis runs many examples in what is one test to the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def in_thread(threads: Executor, work: Callable[[], Result]) -> Future[Result]:
    """Start work on a connection of its own, as another process would do it."""

    def work_and_close() -> Result:
        try:
            return work()
        finally:
            connection.close()

    return threads.submit(work_and_close)


def wait_until_blocked(*works: Future[Any]) -> None:
    """Return when PostgreSQL lets each work wait for a lock, unless it is done."""
    waiting = 0
    with connection.cursor() as cursor:
        while waiting < sum(not work.done() for work in works):
            # Unlike pg_stat_activity, pg_locks is read anew within a transaction.
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
