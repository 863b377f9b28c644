"""A site as it is deployed: gunicorn, and the model process that all its workers share."""

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
from tests.e2e.processes import environment, start_service

UNTHROTTLED = {"API_RATES": "classify=1000000/minute"}


@contextmanager
def serve_site(data: Path) -> Iterator[tuple[str, int]]:
    """Serve an installation; yield its URL and the PID of gunicorn, the parent of the workers."""
    command = (sys.executable, "-m", "gunicorn", "library.wsgi", "--bind", "127.0.0.1:0", "--workers", "2")
    with start_service(*command, "--threads", "4", env=environment(data) | UNTHROTTLED) as server:
        yield re.search(r"http://\S+", server.wait_for_line("Listening at"))[0], server.process.pid


def model_process_pid() -> int | None:
    """Return the PID of the model process, which listens at the socket; None if it is not running."""
    try:
        with client.connect() as connection, socket.socket(fileno=os.dup(connection.fileno())) as peer:
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    return struct.unpack("3i", credentials)[0]


def stop_process(pid: int | None, *, how: int = signal.SIGTERM) -> None:
    if pid is not None:
        process = psutil.Process(pid)
        os.kill(pid, how)
        process.wait(timeout=60)
