"""The process that holds the model and answers web processes: SERVING.md.

It holds one version and one reading of the loans, and never another: when these are out of date, it starts a
process like itself, which takes over the socket as soon as it is ready. Questions that wait are answered
together: most of what one book costs alone is the same for many.

A question has ``books``, each with the fields of a `BookRecord` (``id`` is a control number, or null of a
book that is not in the catalogue; files are named below MEDIA_ROOT) and perhaps ``upload``, a cover in
base64; ``ranks``; ``evidence``, whether it is wanted; ``rejected`` and ``current`` as `TrainedModel.explain`
takes them. The answer has the ``version``, the ``threshold`` below which it abstains (null: always), and of
each of the ``books`` a list of ``category`` (key), ``probability`` and ``evidence``; or it is an ``error``,
empty where only the log says which.
"""

import logging
import os
import queue
import signal
import socket
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django.utils.translation import gettext as _

from classifier.errors import ServingError
from classifier.models import ModelVersion
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.records import BookRecord
from classifier.services.serving import client
from classifier.services.serving.client import Message
from classifier.services.serving.loaded_model import Holding
from library.errors import LibraryError

logger = logging.getLogger(__name__)

TOGETHER = 64
"""Books that are answered together at most: more are hardly cheaper, and the first would wait."""
IDLE = 3600
"""Seconds without a question after which it ends: longer than a break in cataloguing, as a start is slow."""
FRESH = 3600
"""Seconds after which the loans are read anew, if anybody asks; what a nightly run says is a day old."""
AGAIN = 60
"""Seconds until another process is started in its place, if the last one did not take it."""
_LOOK = 1.0  # seconds between two looks at what is active
_LAST = 0.2  # seconds without a new connection after which nobody comes to the old socket any more


@dataclass(slots=True, kw_only=True)
class _Asked:
    question: Message
    books: list[BookRecord]
    answer: Future[Message] = field(default_factory=Future)

    @property
    def manner(self) -> tuple[Any, ...]:
        """What must be the same of questions that are answered together."""
        asked = self.question
        return asked["ranks"], asked["evidence"], sorted(asked["current"].items())


class ModelServer:
    """Answers questions about books.

    Parameters
    ----------
    holding : Holding
    clock : callable
        Returns seconds.
    """

    def __init__(self, *, holding: Holding, clock: Callable[[], float] = time.monotonic) -> None:
        self.holding = holding
        self.ending = threading.Event()
        self._waiting: queue.Queue[_Asked] = queue.Queue()
        self._left: list[_Asked] = []
        self._has_loans = threading.Event()
        if holding.loans is not None:
            self._has_loans.set()
        self._clock = clock
        self._began = self._asked_at = clock()
        self._replaced_at = float("-inf")
        self._path = client.socket_path()

    def bind(self) -> None:
        """Take the place of whoever has the socket: from now on, all new questions come here."""
        aside = self._path.with_name(f"{os.getpid()}.sock")
        aside.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            with client.address(aside) as where:
                self._listener.bind(where)
        finally:
            os.umask(mask)
        self._listener.listen(128)
        self._inode = aside.stat().st_ino
        os.replace(aside, self._path)

    def serve(self) -> None:
        """Answer until another process has taken the place, or nobody asks any more."""
        for work in (self._work, self._watch):
            threading.Thread(target=work, daemon=True).start()
        handlers: list[threading.Thread] = []
        while True:
            self._listener.settimeout(_LAST)
            try:
                connection, _from = self._listener.accept()
            except TimeoutError:
                if self.ending.is_set():
                    break
                continue
            handlers = [handler for handler in handlers if handler.is_alive()]
            handlers.append(threading.Thread(target=self._answer, args=[connection], daemon=True))
            handlers[-1].start()
        self._listener.close()
        for handler in handlers:
            handler.join(client.PATIENCE)

    def read_loans(self) -> None:
        """Read the loans; until then only books that are not in the catalogue are answered."""
        try:
            self.holding = self.holding.with_loans()
            self._has_loans.set()
        except DatabaseError:
            logger.exception("The loans could not be read")
            self.end()
        finally:
            connections.close_all()

    def end(self) -> None:
        """Take no new questions; who asks the next one starts another process."""
        lock = client.take_lock()
        if lock is not None:  # else another is about to take the place
            if self._is_mine():
                self._path.unlink()
            os.close(lock)
        self.ending.set()

    def answers(self, asked: Sequence[_Asked]) -> list[Message]:
        """Return the answers to questions of the same manner, no two about one book of the catalogue."""
        held, first = self.holding, asked[0].question
        books = [book for one in asked for book in one.books]
        rejected = {book: keys for one in asked for book, keys in one.question["rejected"].items()}
        suggest = held.model.explain if first["evidence"] else held.model.suggest
        found = suggest(
            held.asked_about(books),
            ranks=first["ranks"],
            rejected=rejected,
            current=first["current"],
        )
        of_book: dict[str, list[Message]] = {book.id: [] for book in books}
        for one in found:
            said = {"category": one.category, "probability": one.probability, "evidence": one.evidence}
            of_book[one.book].append(said)
        return [
            {
                "version": held.version,
                "threshold": held.threshold if isfinite(held.threshold) else None,
                "books": [of_book[book.id] for book in one.books],
            }
            for one in asked
        ]

    def _answer(self, connection: socket.socket) -> None:
        """Answer what is asked over a connection."""
        # Whoever asks goes away as it likes.
        with suppress(OSError, EOFError), connection, connection.makefile("rwb") as stream:
            connection.settimeout(client.PATIENCE)
            question = client.receive(stream)
            self._asked_at = self._clock()
            of_catalogue = any(book["id"] for book in question["books"])
            if of_catalogue and not self._has_loans.wait(client.PATIENCE):
                return
            with tempfile.TemporaryDirectory(prefix="library-cover-") as name:
                asked = _Asked(question=question, books=list(_records(question, Path(name))))
                self._waiting.put(asked)
                answer = asked.answer.result()
            client.send(stream, answer)

    def _work(self) -> None:
        while True:
            together = self._next()
            try:
                answers = self.answers(together)
            except Exception:
                # One of them may be at fault: each by itself, so that the others have their answers.
                answers = [self._alone(one) for one in together]
            for one, answer in zip(together, answers, strict=True):
                one.answer.set_result(answer)

    def _alone(self, asked: _Asked) -> Message:
        try:
            return self.answers([asked])[0]
        except PipelineError as error:
            return {"error": error.message}
        except Exception:
            logger.exception("A question could not be answered")
            return {"error": ""}

    def _next(self) -> list[_Asked]:
        """Return what is to be answered next, together; what does not fit is left for the time after."""
        waiting = self._left or [self._waiting.get()]
        with suppress(queue.Empty):
            while len(waiting) < TOGETHER:
                waiting.append(self._waiting.get_nowait())
        together, self._left = [waiting[0]], []
        ids = {book.id for book in waiting[0].books}
        for one in waiting[1:]:
            own = {book.id for book in one.books}
            if one.manner == together[0].manner and not ids & own and len(ids) + len(own) <= TOGETHER:
                together.append(one)
                ids |= own
            else:
                self._left.append(one)
        return together

    def _watch(self) -> None:
        while not self.ending.wait(_LOOK):
            self.look()

    def look(self) -> None:
        """End where nobody needs this process any more; start another where it is out of date."""
        now = self._clock()
        if not self._is_mine():
            self.ending.set()
        elif now - self._asked_at > IDLE:
            self.end()
        elif now - self._replaced_at > AGAIN and self._is_outdated(now):
            self._replaced_at = now
            client.start(replacing=True)

    def _is_mine(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def _is_outdated(self, now: float) -> bool:
        if now - self._began > FRESH:
            return True
        try:
            close_old_connections()
            active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
            name = active.values_list("name", flat=True).first()
        except DatabaseError:
            return False  # it is away, and no question needs it
        return name not in (None, self.holding.active)


def serve(*, lock: int | None) -> None:
    """Load the model and answer questions until nobody asks any more.

    Parameters
    ----------
    lock : int, optional
        What `model_client.take_lock` gave to who has started this process; let go of when it answers.

    Raises
    ------
    ClassifierError
        If there is no model, or it cannot be loaded, which is told to those who wait; or if another process
        is starting.
    """
    if lock is None and (lock := client.take_lock()) is None:
        raise ServingError(_("Another process that holds the model is just starting."))
    try:
        holding = Holding.of_today()
    except LibraryError as error:
        client.note_failure(error.message)
        raise
    # Who takes the place of another is ready for all questions before.
    is_first = client.is_away()
    server = ModelServer(holding=holding if is_first else holding.with_loans())
    server.bind()
    client.note_failure(None)
    os.close(lock)
    connections.close_all()
    signal.signal(signal.SIGTERM, lambda *_signal: server.end())
    if is_first:
        threading.Thread(target=server.read_loans, daemon=True).start()
    server.serve()


def _records(question: Message, uploads: Path) -> Iterator[BookRecord]:
    """Yield the books asked about; uploads are written into a folder."""
    media = Path(settings.MEDIA_ROOT)
    for number, given in enumerate(question["books"]):
        told = dict(given)
        if upload := told.pop("upload", None):
            cover: Path | None = uploads / str(number)
            (uploads / str(number)).write_bytes(b64decode(upload))
        else:
            cover = media / told["cover"] if told["cover"] else None
        audio = media / told["audio"] if told["audio"] else None
        # No book of the catalogue has such a control number, and no two of these are one.
        own = told["id"] or f"\0{id(question)}-{number}"
        yield BookRecord(**told | {"id": own, "cover": cover, "audio": audio})
