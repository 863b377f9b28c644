"""Queue of requests to the model, classified together: most of the cost of one book is the same for many."""

import logging
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from classifier.pipeline.errors import PipelineError
from classifier.pipeline.records import BookRecord
from classifier.services.serving.client import Message
from classifier.services.serving.loaded_model import LoadedModel

logger = logging.getLogger(__name__)

MAX_BATCH = 64
"""Books classified together: more are hardly cheaper per book, and the first would wait."""


@dataclass(slots=True, kw_only=True)
class Request:
    """A message from a client, its books, and the response to come."""

    message: Message
    books: list[BookRecord]
    response: Future[Message] = field(default_factory=Future)

    @property
    def options(self) -> tuple[Any, ...]:
        """What requests classified together must have in common."""
        return self.message["ranks"], self.message["evidence"], sorted(self.message["current"].items())


class RequestQueue:
    """Requests in the order they came; one thread works on them."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Request] = queue.Queue()
        self._postponed: list[Request] = []

    def put(self, request: Request) -> None:
        """Add a request."""
        self._queue.put(request)

    def work(self, loaded: Callable[[], LoadedModel]) -> None:
        """Respond to requests for ever, with the model that `loaded` returns at the time."""
        while True:
            requests = self.next_batch()
            try:
                responses = classify(requests, loaded())
            except Exception:
                # One of them may be at fault: one by one, the others get their responses.
                responses = [_classify_alone(request, loaded()) for request in requests]
            for request, response in zip(requests, responses, strict=True):
                request.response.set_result(response)

    def next_batch(self) -> list[Request]:
        """Wait for requests; return those with equal options and different books, and postpone the others."""
        waiting = self._postponed or [self._queue.get()]
        with suppress(queue.Empty):
            while len(waiting) < MAX_BATCH:
                waiting.append(self._queue.get_nowait())
        batch, self._postponed = [waiting[0]], []
        ids = {book.id for book in waiting[0].books}
        for request in waiting[1:]:
            own = {book.id for book in request.books}
            if request.options == batch[0].options and not ids & own and len(ids) + len(own) <= MAX_BATCH:
                batch.append(request)
                ids |= own
            else:
                self._postponed.append(request)
        return batch


def classify(requests: Sequence[Request], loaded: LoadedModel) -> list[Message]:
    """Return the responses to the requests of a batch."""
    first = requests[0].message
    books = [book for request in requests for book in request.books]
    rejected = {book: keys for request in requests for book, keys in request.message["rejected"].items()}
    suggest = loaded.model.explain if first["evidence"] else loaded.model.suggest
    by_book: dict[str, list[Message]] = {book.id: [] for book in books}
    for suggestion in suggest(
        loaded.as_catalogue(books), ranks=first["ranks"], rejected=rejected, current=first["current"]
    ):
        by_book[suggestion.book].append(
            {
                "category": suggestion.category,
                "probability": suggestion.probability,
                "evidence": suggestion.evidence.to_json() if suggestion.evidence else {},
            }
        )
    return [
        {
            "version": loaded.version,
            "threshold": loaded.threshold if isfinite(loaded.threshold) else None,
            "books": [by_book[book.id] for book in request.books],
        }
        for request in requests
    ]


def _classify_alone(request: Request, loaded: LoadedModel) -> Message:
    try:
        return classify([request], loaded)[0]
    except PipelineError as error:
        return {"error": error.message}
    except Exception:
        logger.exception("A request failed")
        return {"error": ""}
