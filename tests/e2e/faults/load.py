"""Clients that send requests to a real server without end, and record responses and acknowledged writes."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from library.rest.errors.problems import MEDIA_TYPE

PAUSE = 0.05
"""Seconds between two requests of a client: people think, and worker and model need a processor, too."""
DONE = frozenset({200, 201, 202})


@dataclass(frozen=True)
class Response:
    """A response, with the monotonic times of the request's start and end."""

    request: str
    started_at: float
    ended_at: float
    status: int
    headers: Mapping[str, str]
    document: Any
    expected: Collection[int]

    @property
    def is_wrong(self) -> bool:
        return self.status not in self.expected

    @property
    def is_database_unavailable(self) -> bool:
        """True for the documented problem of an unavailable database, with Retry-After."""
        media_type, delay = self.headers.get("Content-Type"), self.headers.get("Retry-After", "")
        is_documented = (self.status, media_type, delay.isdecimal()) == (503, MEDIA_TYPE, True)
        return is_documented and self.document["code"] == "database_unavailable"


class Client(threading.Thread):
    """A client that repeats its round until it is stopped, and then finishes the round."""

    def __init__(self, url: str, token: str, *, name: str) -> None:
        super().__init__(name=name)
        self.responses: list[Response] = []
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self._url, self._token = url, token

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.round()
        except BaseException as error:
            self.error = error

    def round(self) -> None:
        raise NotImplementedError

    def send(
        self, method: str, path: str, body: object = None, *, expected: Collection[int] = DONE
    ) -> Response:
        """Send a request until it succeeds; each attempt of a write has the same key, as it should."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._url}/api/v1/{path}", data=data, headers=headers, method=method
        )
        while True:
            response = send_request(request, f"{method} {path}", expected)
            self.responses.append(response)
            if not response.is_wrong:
                time.sleep(PAUSE)
                return response
            time.sleep(min(float(response.headers.get("Retry-After", 1)), 5))


def send_request(request: urllib.request.Request, label: str, expected: Collection[int]) -> Response:
    started_at = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            status, headers, text = response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, headers, text = error.code, dict(error.headers), error.read()
    except OSError as error:
        status, headers, text = 0, {}, json.dumps(str(error)).encode()
    document = json.loads(text or "null")
    return Response(label, started_at, time.monotonic(), status, headers, document, expected)


class CatalogueClient(Client):
    """Reads the catalogue, requests recommendations, and classifies books."""

    def __init__(self, *args: Any, book: int, borrower: int, text: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.versions: set[str] = set()
        self._reads = [
            ("GET", f"books/{book}/", None),
            ("GET", f"books/?search={text.partition(' ')[0]}", None),
            ("GET", f"books/{book}/similar/?limit=5", None),
            ("GET", f"borrowers/{borrower}/recommendations/?limit=5", None),
        ]
        self._books = [{"title": text, "description": text}, {"id": book}]

    def round(self) -> None:
        for method, path, body in self._reads:
            self.send(method, path, body)
        for book in self._books:
            self.versions.add(self.send("POST", "classify/", book).document["model_version"])


@dataclass
class AcknowledgedWrites:
    """Writes that the server has confirmed: by primary key, what the row must contain."""

    loans: dict[int, dict[str, Any]] = field(default_factory=dict)
    holds: dict[int, str] = field(default_factory=dict)
    reviews: dict[int, bool] = field(default_factory=dict)
    """True for a review that was undone."""


class DeskClient(Client):
    """Circulates a copy among two borrowers and reviews a book, which no other client uses."""

    def __init__(
        self,
        *args: Any,
        copy: Any,
        cards: tuple[str, str],
        book: int,
        writes: AcknowledgedWrites,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._copy, self._cards, self._book, self._writes = copy, cards, book, writes

    def round(self) -> None:
        self._circulate()
        self._review()

    def _circulate(self) -> None:
        loans, holds = self._writes.loans, self._writes.holds
        first, second = self._cards
        loan = self.send("POST", "loans/", {"barcode": self._copy.barcode, "card_number": first}).document
        loans[loan["id"]] = row = {"copy": loan["copy"], "borrower": loan["borrower"], "renewals": 0}
        self.send("POST", f"loans/{loan['id']}/renew/")
        row["renewals"] = 1
        hold = self.send("POST", "holds/", {"book": self._copy.book_id, "card_number": second}).document
        holds[hold["id"]] = "waiting"
        self.send("POST", f"holds/{hold['id']}/cancel/")
        holds[hold["id"]] = "cancelled"
        checked_in = self.send("POST", f"loans/{loan['id']}/checkin/", {}).document
        row["returned_at"] = checked_in["loan"]["returned_at"]

    def _review(self) -> None:
        suggestions = self.send("GET", f"books/{self._book}/suggestions/").document["results"]
        # A batch that is applied at the same time replaces the suggestion.
        allowed = {*DONE, 400, 404, 409}
        best = suggestions[0]["id"]
        review = self.send("POST", f"suggestions/{best}/review/", {"verdict": "accept"}, expected=allowed)
        if review.status in DONE:
            self._writes.reviews[review.document["id"]] = False
            undone = self.send("POST", "reviews/undo/", expected=allowed)
            if undone.status in DONE:
                self._writes.reviews[undone.document["id"]] = True


def run_spaced(actions: list[Callable[[], object]], *, seconds: float) -> None:
    """Run actions evenly spaced over a time, with a pause before the first and after the last."""
    pause = seconds / (len(actions) + 1)
    for action in actions:
        time.sleep(pause)
        action()
    time.sleep(pause)
