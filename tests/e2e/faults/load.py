"""Clients of a real server that ask without end, note what they are answered, and what they were promised."""

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
class Answer:
    """What was answered, and when by the monotonic clock."""

    asked: str
    began: float
    ended: float
    status: int
    headers: Mapping[str, str]
    document: Any
    expected: Collection[int]

    @property
    def is_wrong(self) -> bool:
        return self.status not in self.expected

    @property
    def is_proper_refusal(self) -> bool:
        """Whether it says that the database is away, and when to come again, as the schema has it."""
        kind, again = self.headers.get("Content-Type"), self.headers.get("Retry-After", "")
        proper = (self.status, kind, again.isdecimal()) == (503, MEDIA_TYPE, True)
        return proper and self.document["code"] == "database_away"


class Client(threading.Thread):
    """Does its rounds until it is told to stop; what it has begun it brings to its end."""

    def __init__(self, address: str, token: str, *, name: str) -> None:
        super().__init__(name=name)
        self.answers: list[Answer] = []
        self.stopping = threading.Event()
        self.fault: BaseException | None = None
        self._address, self._token = address, token

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.round()
        except BaseException as fault:
            self.fault = fault

    def round(self) -> None:
        raise NotImplementedError

    def ask(self, method: str, path: str, body: object = None, *, expected: Collection[int] = DONE) -> Answer:
        """Send a request until it is answered, a write always under the same key, as a client should do."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}/api/v1/{path}", data=data, headers=headers, method=method
        )
        while True:
            answer = sent(request, f"{method} {path}", expected)
            self.answers.append(answer)
            if not answer.is_wrong:
                time.sleep(PAUSE)
                return answer
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), 5))


def sent(request: urllib.request.Request, asked: str, expected: Collection[int]) -> Answer:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=120) as found:
            status, headers, text = found.status, dict(found.headers), found.read()
    except urllib.error.HTTPError as error:
        with error:
            status, headers, text = error.code, dict(error.headers), error.read()
    except OSError as error:
        status, headers, text = 0, {}, json.dumps(str(error)).encode()
    return Answer(asked, began, time.monotonic(), status, headers, json.loads(text or "null"), expected)


class Reader(Client):
    """Reads the catalogue, asks for titles, and lets books be classified."""

    def __init__(self, *args: Any, book: int, borrower: int, words: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.versions: set[str] = set()
        self._reads = [
            ("GET", f"books/{book}/", None),
            ("GET", f"books/?search={words.partition(' ')[0]}", None),
            ("GET", f"books/{book}/similar/?n=5", None),
            ("GET", f"borrowers/{borrower}/recommendations/?n=5", None),
        ]
        self._books = [{"title": words, "description": words}, {"id": book}]

    def round(self) -> None:
        for method, path, body in self._reads:
            self.ask(method, path, body)
        for book in self._books:
            self.versions.add(self.ask("POST", "classify/", book).document["model_version"])


@dataclass
class Promised:
    """What was acknowledged: by primary key, what has to stand in the row."""

    loans: dict[int, dict[str, Any]] = field(default_factory=dict)
    holds: dict[int, str] = field(default_factory=dict)
    reviews: dict[int, bool] = field(default_factory=dict)
    """Whether it was taken back."""


class Desk(Client):
    """Lends, renews, queues, takes back and reviews, with a copy, borrowers and a book that are its own."""

    def __init__(
        self, *args: Any, copy: Any, cards: tuple[str, str], waiting: int, promised: Promised, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._copy, self._cards, self._waiting, self._promised = copy, cards, waiting, promised

    def round(self) -> None:
        self._lend()
        self._review()

    def _lend(self) -> None:
        loans, holds = self._promised.loans, self._promised.holds
        first, second = self._cards
        loan = self.ask("POST", "loans/", {"barcode": self._copy.barcode, "card_number": first}).document
        loans[loan["id"]] = row = {"copy": loan["copy"], "borrower": loan["borrower"], "renewals": 0}
        self.ask("POST", f"loans/{loan['id']}/renew/")
        row["renewals"] = 1
        hold = self.ask("POST", "holds/", {"book": self._copy.book_id, "card_number": second}).document
        holds[hold["id"]] = "waiting"
        self.ask("POST", f"holds/{hold['id']}/cancel/")
        holds[hold["id"]] = "cancelled"
        taken = self.ask("POST", f"loans/{loan['id']}/checkin/", {}).document
        row["returned_at"] = taken["loan"]["returned_at"]

    def _review(self) -> None:
        found = self.ask("GET", f"books/{self._waiting}/suggestions/").document["results"]
        # A batch that is applied meanwhile replaces the suggestion.
        gone = {*DONE, 400, 404, 409}
        best = found[0]["id"]
        review = self.ask("POST", f"suggestions/{best}/review/", {"verdict": "accept"}, expected=gone)
        if review.status in DONE:
            self._promised.reviews[review.document["id"]] = False
            undone = self.ask("POST", "reviews/undo/", expected=gone)
            if undone.status in DONE:
                self._promised.reviews[undone.document["id"]] = True


def in_turn(actions: list[Callable[[], object]], *, seconds: float) -> None:
    """Do some things, evenly spread over a time: as many pauses as things, and one more."""
    pause = seconds / (len(actions) + 1)
    for act in actions:
        time.sleep(pause)
        act()
    time.sleep(pause)
