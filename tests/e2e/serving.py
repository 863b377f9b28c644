"""A site as it is deployed: gunicorn, and the process that holds the model for all of its workers."""

import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from classifier.services.serving import client
from tests.e2e.processes import environment, started

UNTHROTTLED = {"API_RATES": "classify=1000000/minute"}


@contextmanager
def served(data: Path) -> Iterator[tuple[str, int]]:
    """Serve an installation; return its address and the process that the workers are children of."""
    command = (sys.executable, "-m", "gunicorn", "library.wsgi", "--bind", "127.0.0.1:0", "--workers", "2")
    with started(*command, "--threads", "4", env=environment(data) | UNTHROTTLED) as server:
        yield re.search(r"http://\S+", server.line_with("Listening at"))[0], server.process.pid


def holder() -> int | None:
    """Return the process that answers at the socket, as the system knows it."""
    try:
        with client.connected(timeout=5) as connection:
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    return struct.unpack("3i", told)[0]


def end_of(pid: int | None, *, how: int = signal.SIGTERM) -> None:
    if pid is not None:
        process = psutil.Process(pid)
        os.kill(pid, how)
        process.wait(timeout=60)
