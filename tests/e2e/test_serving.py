"""Books classified by a real server, while versions change and the process with the model is killed."""

import json
import signal
import threading
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from classifier.models import ModelVersion
from classifier.services.registry.promotion import promote, rollback
from classifier.services.training.training import train
from library.rest.auth.tokens import issue_token
from tests.classifier.libraries import QUICK, WORDS
from tests.e2e.faults.servers import wait_for
from tests.e2e.serving import end_of, holder, served
from tests.factories import NOW

CLIENTS = 4


@pytest.fixture
def library(small_library, opened, settings):
    """An installation with two versions, and a token; the test promotes as a person would."""
    settings.DATA_DIR = small_library
    settings.MODELS_DIR = small_library / "models"
    settings.PROMOTION = "manual"
    with opened(small_library):
        versions = [train(now=NOW, settings=QUICK, seed=seed)["version"] for seed in (1, 2)]
        promote(version=ModelVersion.objects.get(name=versions[0]), now=NOW)
        user = User.objects.create_user("client")
        _row, token = issue_token(user=user, name="e2e", scopes=["classify"], days=1, now=timezone.now())
        yield versions, token
    end_of(holder())


@pytest.fixture
def site(library, small_library):
    with served(small_library) as site:
        yield site


class Client(threading.Thread):
    """Asks without a pause until it is told to stop; notes the status and the version of each answer."""

    def __init__(self, site: str, token: str, books: list[dict]) -> None:
        super().__init__()
        self.answers: list[tuple[int, str]] = []
        self.stopping = threading.Event()
        self.requests = [
            urllib.request.Request(
                f"{site}/api/v1/classify/?evidence=false",
                data=json.dumps(book).encode(),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            for book in books
        ]

    def run(self) -> None:
        while not self.stopping.is_set():
            for request in self.requests:
                self.answers.append(answer(request))


def answer(request: urllib.request.Request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=60) as found:
            return found.status, json.load(found)["model_version"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.thorough
def test_no_request_is_lost_while_versions_change_and_the_process_is_killed(library, site):
    (first, second), token = library
    address, server = site
    books = [{"title": "Orbit of a comet", "description": WORDS["AST"]}, {"id": 1}]
    # Nobody has started anything but the web server: a slow machine may ask to try again.
    wait_for(
        lambda: answer(Client(address, token, books).requests[0])[0] == 200, otherwise=lambda: "no answer"
    )
    clients = [Client(address, token, books) for _ in range(CLIENTS)]

    def are_answered_by(version: str) -> None:
        heard = [len(client.answers) for client in clients]

        def told() -> bool:
            news = [client.answers[n:] for client, n in zip(clients, heard, strict=True)]
            return all(version in {by for _status, by in answers} for answers in news)

        wait_for(told, otherwise=lambda: [client.answers[-3:] for client in clients])

    for client in clients:
        client.start()
    try:
        are_answered_by(first)
        promote(version=ModelVersion.objects.get(name=second), now=NOW)
        are_answered_by(second)
        rollback(now=NOW)
        are_answered_by(first)
        killed_at = [len(client.answers) for client in clients]
        end_of(holder(), how=signal.SIGKILL)
        are_answered_by(first)
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join()
    answers = [found for client, n in zip(clients, killed_at, strict=True) for found in client.answers[:n]]
    assert {status for status, _version in answers} == {200}
    assert {version for _status, version in answers} == {first, second}
    # A slow machine does not start it in time for all who wait: they are told to ask again.
    after = [found for client, n in zip(clients, killed_at, strict=True) for found in client.answers[n:]]
    assert {status for status, _version in after} <= {200, 503}
    assert {json.loads(body)["code"] for status, body in after if status == 503} <= {"model_away"}
    # The web processes themselves hold no model.
    workers = psutil.Process(server).children()
    assert len(workers) >= 2
    assert not [w for w in workers if "torch" in Path(f"/proc/{w.pid}/maps").read_text()]
