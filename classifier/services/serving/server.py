"""Server that holds the model in memory for web processes: see SERVING.md.

It holds one version and one reading of the loans; when these are out of date, it loads others beside them and
swaps.

A request has ``books``, each with the fields of a `BookRecord` (``id`` is a control number, or null for a
book outside the catalogue; files are paths below MEDIA_ROOT) and optionally ``upload``, a cover in base64;
``ranks``; ``evidence``, whether it is wanted; ``rejected`` and ``current`` as `TrainedModel.explain` takes
them. The response has the ``version``, the ``threshold`` below which the model abstains (null: always), and
for each of the ``books`` a list of ``category`` (key), ``probability`` and ``evidence``. If the request
failed, the response is an ``error``: a message, empty if only the log has the reason.
"""

import fcntl
import logging
import os
import signal
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils.translation import gettext as _

from classifier.errors import ServingError
from classifier.models import ModelVersion
from classifier.pipeline.records import BookRecord
from classifier.services.serving import client
from classifier.services.serving.batching import Request, RequestQueue
from classifier.services.serving.client import Message
from classifier.services.serving.loaded_model import LoadedModel
from library.errors import LibraryError

logger = logging.getLogger(__name__)

MAX_AGE = 3600
"""Seconds after which the model and the loans are read again; a nightly run's results are a day old."""
RETRY_AFTER = 30
"""Seconds until a version that could not be loaded is tried again."""
_LOOK_SECONDS = 1.0  # between two looks at the active version
_BACKLOG = 128  # connections that may wait to be accepted


class ModelServer:
    """Classifies books for other processes.

    Parameters
    ----------
    loaded
        None to load the active version after the start.
    idle
        Seconds (of `clock`) without a request after which the server stops; None for never.
    """

    def __init__(
        self,
        *,
        loaded: LoadedModel | None = None,
        idle: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loaded = loaded
        self.stopping = threading.Event()
        self._idle, self._clock = idle, clock
        self._requested_at = clock()
        self._attempt = (loaded.active if loaded else "", clock())  # version last loaded, and when
        self._problem = ""
        self._attempted = threading.Event()
        if loaded:
            self._attempted.set()
        self.queue = RequestQueue()
        self._handlers: list[threading.Thread] = []
        self._resources = ExitStack()

    def bind(self) -> None:
        """Open the socket, for this user alone; from now on clients can connect."""
        address = self._resources.enter_context(client.socket_address())
        client.socket_path().unlink(missing_ok=True)  # left by a server that was killed
        mask = os.umask(0o177)
        try:
            listener = Listener(address, family="AF_UNIX", backlog=_BACKLOG)
        finally:
            os.umask(mask)
        self._listener = self._resources.enter_context(listener)

    def serve(self) -> None:
        """Respond to requests until the server is stopped, then close the socket."""
        threading.Thread(target=self.queue.work, args=[lambda: self.loaded], daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()
        with self._resources:
            while True:
                try:
                    connection = self._listener.accept()
                except OSError:  # the client has gone already
                    continue
                if self.stopping.is_set():
                    connection.close()
                    return
                self._handlers = [handler for handler in self._handlers if handler.is_alive()]
                self._handlers.append(threading.Thread(target=self._handle, args=[connection], daemon=True))
                self._handlers[-1].start()

    def drain(self) -> None:
        """Wait until the requests that were accepted have their responses."""
        for handler in self._handlers:
            handler.join(client.PATIENCE)

    def stop(self) -> None:
        """Accept no more requests."""
        self.stopping.set()
        with suppress(OSError):
            client.connect().close()  # wakes `serve`, which waits for a connection

    def look(self) -> None:
        """Stop if idle; load the model if another version is active or this one was loaded long ago."""
        now = self._clock()
        if self._idle is not None and now - self._requested_at > self._idle:
            self.stop()
            return
        close_old_connections()
        active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
        name = active.values_list("name", flat=True).first()
        version, attempted_at = self._attempt
        limit = RETRY_AFTER if self._problem else MAX_AGE
        if name is None or (name == version and now - attempted_at <= limit):
            return
        try:
            self.loaded, self._problem = LoadedModel.current(), ""
        except LibraryError as error:
            logger.warning("%s could not be loaded: %s", name, error.message)
            self._problem = error.message
        self._attempt = name, now
        self._attempted.set()

    def _watch(self) -> None:
        while not self.stopping.is_set():
            try:
                self.look()
            except Exception:  # no database, say: the model stays as it is, and the next look may succeed
                logger.exception("The model could not be updated")
            finally:
                connections.close_all()
            self.stopping.wait(_LOOK_SECONDS)

    def _handle(self, connection: Connection) -> None:
        """Respond to the request of one connection, whose client may leave at any time."""
        with suppress(OSError, EOFError, ValueError), connection:
            if not connection.poll(client.PATIENCE):
                return
            message = client.receive(connection)
            self._requested_at = self._clock()
            if not self._attempted.wait(client.PATIENCE):
                return
            if self.loaded is None:
                client.send(connection, {"error": self._problem})
                return
            with tempfile.TemporaryDirectory(prefix="library-cover-") as name:
                request = Request(message=message, books=list(_records(message, Path(name))))
                self.queue.put(request)
                response = request.response.result()
            client.send(connection, response)


def serve(*, idle: float | None = None) -> None:
    """Hold the model until terminated or `idle` for so many seconds; `ServingError` if one runs."""
    with _single_server():
        server = ModelServer(idle=idle)
        server.bind()
        signal.signal(signal.SIGTERM, lambda *_signal: server.stop())
        server.serve()
    server.drain()  # the next server may start already


@contextmanager
def _single_server() -> Iterator[None]:
    with (client.folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(_("Another model server is already running.")) from None
        yield


def _records(message: Message, uploads: Path) -> Iterator[BookRecord]:
    media = Path(settings.MEDIA_ROOT)
    for number, book in enumerate(message["books"]):
        fields = dict(book)
        if upload := fields.pop("upload", None):
            cover: Path | None = uploads / str(number)
            (uploads / str(number)).write_bytes(b64decode(upload))
        else:
            cover = media / fields["cover"] if fields["cover"] else None
        audio = media / fields["audio"] if fields["audio"] else None
        # No book of the catalogue has such a control number, and no two of these are the same.
        own = fields["id"] or f"\0{id(message)}-{number}"
        yield BookRecord(**fields | {"id": own, "cover": cover, "audio": audio})
