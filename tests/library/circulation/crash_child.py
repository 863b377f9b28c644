"""Child process that pauses within one desk operation, to be killed there.

The fork server imports this module once, so a child starts in milliseconds and has no threads.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import django

django.setup()

from django.db import connection, connections  # noqa: E402

from library.catalogue.models import Copy  # noqa: E402
from library.circulation.models import Loan  # noqa: E402
from library.circulation.services.checkin import checkin  # noqa: E402
from library.circulation.services.checkout import checkout  # noqa: E402
from library.circulation.services.renewals import renew  # noqa: E402
from library.people.models import Borrower  # noqa: E402
from tests.factories import NOW  # noqa: E402

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def run_checkout(*, copy: int, borrower: int) -> None:
    checkout(copy=Copy.objects.get(pk=copy), borrower=Borrower.objects.get(pk=borrower), branch=None, now=NOW)


def run_checkin(*, copy: int, borrower: int) -> None:
    checkin(copy=Copy.objects.get(pk=copy), branch=None, now=NOW)


def run_renewal(*, copy: int, borrower: int) -> None:
    renew(loan=Loan.objects.get(copy=copy, returned_at=None), now=NOW)


def kill_at(stop: int, *, work: Callable[..., None], **keys: int) -> bool:
    """Run `work` in another process and kill it (SIGKILL) where it pauses.

    Parameters
    ----------
    stop
        Number of the pause point, from 1: before each statement, before the commit and after it.
    work
        One of the functions of this module.
    **keys
        Arguments of `work`.

    Returns
    -------
    bool
        True if it paused and was killed; False if `work` has fewer pause points and finished.
    """
    parent_end, child_end = _processes.Pipe()
    arguments = (stop, connections.databases["default"], work, keys, child_end)
    process = _processes.Process(target=_run, args=arguments)
    process.start()
    child_end.close()
    backend_pid = parent_end.recv()
    stopped: bool = parent_end.recv()
    process.kill()
    process.join()
    if connection.vendor == "postgresql":
        _wait_until_gone(backend_pid)
    return stopped


def _run(
    stop: int, database: dict[str, Any], work: Callable[..., None], keys: dict[str, int], pipe: Connection
) -> None:
    connections["default"].close()
    connections.databases["default"] = database
    del connections["default"]
    connection.ensure_connection()
    pipe.send(connection.connection.info.backend_pid if connection.vendor == "postgresql" else None)
    pause_points = iter(range(1, stop + 1))

    def pause() -> None:
        if next(pause_points, None) == stop:
            pipe.send(True)
            pipe.recv()  # never returns

    def statement(execute: Callable[..., Any], *arguments: Any) -> Any:
        pause()
        return execute(*arguments)

    def commit() -> None:
        pause()
        committed()
        pause()

    committed, connection.commit = connection.commit, commit
    with connection.execute_wrapper(statement):
        work(**keys)
    pipe.send(False)


def _wait_until_gone(backend_pid: int) -> None:
    """Wait until PostgreSQL has noticed that the connection is closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        while cursor.fetchone():
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [backend_pid])
