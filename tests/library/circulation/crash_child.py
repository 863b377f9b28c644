"""A process that does one thing at the desk and stops on the way, to be killed there.

Started by the fork server (`multiprocessing`), which imports this module once: a child is there in
milliseconds, and has no threads.
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


def lend(*, copy: int, borrower: int) -> None:
    checkout(copy=Copy.objects.get(pk=copy), borrower=Borrower.objects.get(pk=borrower), branch=None, now=NOW)


def take_back(*, copy: int, borrower: int) -> None:
    checkin(copy=Copy.objects.get(pk=copy), branch=None, now=NOW)


def keep_longer(*, copy: int, borrower: int) -> None:
    renew(loan=Loan.objects.get(copy=copy, returned_at=None), now=NOW)


def kill_at(stop: int, *, work: Callable[..., None], **keys: int) -> bool:
    """Let another process do `work`, and kill it (SIGKILL) where it stops.

    Parameters
    ----------
    stop : int
        At which of the places where it may stop: before each statement, before the commit and after it.
    work : callable
        One of this module's functions.
    **keys : int
        Its arguments.

    Returns
    -------
    bool
        Whether it stopped and was killed; False if `work` has fewer places and was done.
    """
    ours, theirs = _processes.Pipe()
    arguments = (stop, connections.databases["default"], work, keys, theirs)
    process = _processes.Process(target=_do, args=arguments)
    process.start()
    theirs.close()
    server = ours.recv()
    stopped: bool = ours.recv()
    process.kill()
    process.join()
    if connection.vendor == "postgresql":
        _wait_until_gone(server)
    return stopped


def _do(
    stop: int, database: dict[str, Any], work: Callable[..., None], keys: dict[str, int], pipe: Connection
) -> None:
    connections["default"].close()
    connections.databases["default"] = database
    del connections["default"]
    connection.ensure_connection()
    pipe.send(connection.connection.info.backend_pid if connection.vendor == "postgresql" else None)
    places = iter(range(1, stop + 1))

    def place() -> None:
        if next(places, None) == stop:
            pipe.send(True)
            pipe.recv()  # which never comes

    def statement(execute: Callable[..., Any], *arguments: Any) -> Any:
        place()
        return execute(*arguments)

    def commit() -> None:
        place()
        committed()
        place()

    committed, connection.commit = connection.commit, commit
    with connection.execute_wrapper(statement):
        work(**keys)
    pipe.send(False)


def _wait_until_gone(server: int) -> None:
    """Return when PostgreSQL has noticed that the other end is dead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        while cursor.fetchone():
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [server])
