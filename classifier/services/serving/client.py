"""How a web process asks the process that holds the model, and starts it where there is none: SERVING.md.

A message is its length in four bytes and JSON: what comes out of the socket is data, whoever wrote it. No
numpy here.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from classifier.errors import ServingError

Message = dict[str, Any]


class Stream(Protocol):
    """What a message is read from and written to."""

    def read(self, size: int, /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


PATIENCE = 20.0
"""Seconds for an answer, a start of the process included: gunicorn ends a worker that is silent for 30."""
MOST_BYTES = 64_000_000
"""Of a message; a hundred books with covers as the catalogue keeps them are some ten."""
AFTER_FAILURE = 30
"""Seconds until another start is tried: what made one fail costs seconds of a processor each time."""
TRIES = 3
"""How often a question is sent: one that kills the process each time must not do so for ever."""
_WAIT = 0.05  # seconds between two looks for a process that is starting
_LONGEST = 103  # bytes of a path that every system takes as the address of a socket

#: The number is that of the form of the messages: after an update, another process answers.
_SOCKET, _LOCK, _LOG, _FAILED = "model-1.sock", "lock", "log", "failed.json"


def folder() -> Path:
    """Return where the socket is, in a folder that is closed to other users."""
    path = Path(settings.DATA_DIR) / "serving"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def socket_path() -> Path:
    """Return the path of the socket."""
    return folder() / _SOCKET


def ask(question: Mapping[str, Any]) -> Message:
    """Return what the process that holds the model answers; it is started if there is none.

    A process that is killed loses nothing: the question is asked again.

    Parameters
    ----------
    question : mapping
        See `classifier.services.serving.server`.

    Raises
    ------
    ServingError
        If none can be asked within `PATIENCE`, the last one could not load the model, or it fails with this
        question.
    """
    deadline = time.monotonic() + PATIENCE
    tries = 0
    while time.monotonic() < deadline:
        try:
            connection = connected(timeout=max(_WAIT, deadline - time.monotonic()))
        except OSError:
            if told := _failed_lately():
                raise ServingError(told) from None
            try:
                start()
            except OSError as error:
                reason = _("The process that holds the model cannot be started: %s") % error
                raise ServingError(reason) from error
            time.sleep(_WAIT)
            continue
        with suppress(OSError, EOFError), connection, connection.makefile("rwb") as stream:
            tries += 1
            send(stream, question)
            answer = receive(stream)
            if "error" in answer:
                raise ServingError(
                    answer["error"] or _("The model failed with this question; serving/log says why.")
                )
            return answer
        if tries == TRIES:
            break
    raise ServingError(_("The model is not ready to be asked yet. Ask again in a moment."))


def start(*, replacing: bool = False) -> None:
    """Start the process that holds the model, unless one is starting or has just failed.

    Parameters
    ----------
    replacing : bool
        Also where there is one: the new one takes its place as soon as it is ready.
    """
    lock = take_lock()
    if lock is None:
        return
    try:
        if _failed_lately() or not (replacing or is_away()):
            return
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
            "LIBRARY_DATA_DIR": str(settings.DATA_DIR),
        }
        with (folder() / _LOG).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "django", "serve_model", "--lock", str(lock)],
                cwd=settings.BASE_DIR,
                env=environment,
                pass_fds=[lock],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    finally:
        os.close(lock)
    # When it ends, somebody has to take note.
    threading.Thread(target=process.wait, daemon=True).start()


def take_lock() -> int | None:
    """Return the lock of who starts the process, as a descriptor to hand on; None if it is held."""
    descriptor = os.open(folder() / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def note_failure(message: str | None) -> None:
    """Note why the model cannot be loaded, for those who wait; None takes it back."""
    file = folder() / _FAILED
    if message is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(json.dumps(message), encoding="utf-8")


def connected(*, timeout: float) -> socket.socket:
    """Return a connection to the process.

    Raises
    ------
    OSError
        If there is none, or it has no time.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        with address(socket_path()) as where:
            connection.connect(where)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Give a path as the address of a socket; one that is too long for that by way of its open folder."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def send(stream: Stream, message: Mapping[str, Any]) -> None:
    """Write a message."""
    body = json.dumps(message).encode()
    stream.write(struct.pack("!I", len(body)) + body)
    stream.flush()


def receive(stream: Stream) -> Message:
    """Read a message.

    Raises
    ------
    EOFError
        If it breaks off, or is longer than `MOST_BYTES`.
    """
    (size,) = struct.unpack("!I", _exactly(stream, 4))
    if size > MOST_BYTES:
        raise EOFError(f"A message of {size} bytes is too long.")
    message: Message = json.loads(_exactly(stream, size))
    return message


def _exactly(stream: Stream, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError("The other end is gone.")
    return found


def is_away() -> bool:
    """Return whether there is no process that takes questions."""
    try:
        connected(timeout=1).close()
    except OSError:
        return True
    return False


def _failed_lately() -> str:
    try:
        file = folder() / _FAILED
        if time.time() - file.stat().st_mtime < AFTER_FAILURE:
            return str(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass
    return ""
