"""Client of the model server, for web processes: see SERVING.md. No numpy here.

Messages are JSON sent with `multiprocessing.connection`, never pickles: everything out of the socket is data.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from classifier.errors import ServingError
from classifier.services.serving import autostart

Message = dict[str, Any]

PATIENCE = 20.0
"""Seconds to wait for a response, a start included: gunicorn ends a worker that is silent for 30."""
MAX_BYTES = 64_000_000
"""Of a message; a hundred books with covers as the catalogue keeps them are about ten million."""
MAX_ATTEMPTS = 3
"""How often a request is sent: one that kills the server each time must not do so for ever."""
_POLL_SECONDS = 0.05  # between two attempts to connect to a server that is starting
_MAX_ADDRESS = 103  # bytes of a socket's path that every system accepts


def folder() -> Path:
    """Return the folder of the socket, which is closed to other users of the machine."""
    path = Path(settings.DATA_DIR) / "serving"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def socket_path() -> Path:
    """Return the path of the socket."""
    return folder() / "model.sock"


@contextmanager
def socket_address() -> Iterator[str]:
    """Yield the address of the socket; a path too long for one goes through its open folder."""
    path = socket_path()
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def request(message: Mapping[str, Any]) -> Message:
    """Send a request (`server`) to the model server, again if the server is killed; return its response.

    Raises
    ------
    ServingError
        If no server is running, or it does not respond within `PATIENCE`, has no model, or fails on this
        request.
    """
    deadline = time.monotonic() + PATIENCE
    for _attempt in range(MAX_ATTEMPTS):
        with suppress(OSError, EOFError), _connection(deadline=deadline) as connection:
            send(connection, message)
            if not connection.poll(max(0.0, deadline - time.monotonic())):
                break
            response = receive(connection)
            if "error" in response:
                raise ServingError(
                    response["error"]
                    or _("The model failed on this request. The log of the model server has the reason.")
                )
            return response
    raise ServingError(_("The model is not ready yet. Try again in a moment."))


def connect() -> Connection:
    """Return a connection to the server. Raises `OSError` if none is running."""
    try:
        with socket_address() as address:
            return Client(address, family="AF_UNIX")
    except EOFError as error:  # it stopped at this moment
        raise ConnectionError from error


def send(connection: Connection, message: Mapping[str, Any]) -> None:
    """Send a message."""
    connection.send_bytes(json.dumps(message).encode())


def receive(connection: Connection) -> Message:
    """Receive a message; `OSError` or `EOFError` if too long or cut off, `ValueError` if not JSON."""
    message: Message = json.loads(connection.recv_bytes(MAX_BYTES))
    return message


def _connection(*, deadline: float) -> Connection:
    """Connect to the server; where it is started on demand, wait for it."""
    while True:
        try:
            return connect()
        except OSError as error:
            if not settings.MODEL_SERVER_AUTOSTART:
                raise ServingError(
                    _("The model server is not running. Start it with manage.py serve_model.")
                ) from error
        if time.monotonic() > deadline:
            raise ServingError(_("The model is not ready yet. Try again in a moment."))
        autostart.start(log=folder() / "log")
        time.sleep(_POLL_SECONDS)
