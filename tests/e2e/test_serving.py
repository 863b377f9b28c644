"""Classification by a real server while versions change and the model process is killed."""

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
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.rest.auth.tokens import issue_token
from tests.classifier.libraries import QUICK, WORDS
from tests.e2e.faults.servers import wait_for
from tests.e2e.serving import model_process_pid, serve_site, stop_process
from tests.factories import NOW

CLIENTS = 4


@pytest.fixture
def library(small_library, open_database, settings):
    """Names of two versions and a token; promotion is manual."""
    settings.DATA_DIR = small_library
    settings.MODELS_DIR = small_library / "models"
    settings.PROMOTION = "manual"
    with open_database(small_library):
        versions = [train(JobContext(now=NOW), settings=QUICK, seed=seed)["version"] for seed in (1, 2)]
        promote(version=ModelVersion.objects.get(name=versions[0]), now=NOW)
        user = User.objects.create_user("client")
        _row, token = issue_token(user=user, name="e2e", scopes=["classify"], days=1, now=timezone.now())
        yield versions, token
    stop_process(model_process_pid())


@pytest.fixture
def site(library, small_library):
    with serve_site(small_library) as site:
        yield site


class Client(threading.Thread):
    """Sends requests without a pause until it is stopped; records status and version of each response."""

    def __init__(self, site: str, token: str, books: list[dict]) -> None:
        super().__init__()
        self.responses: list[tuple[int, str]] = []
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
                self.responses.append(send(request))


def send(request: urllib.request.Request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)["model_version"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.thorough
def test_no_request_is_lost_during_promotions_and_a_crash(library, site):
    (first, second), token = library
    url, gunicorn = site
    books = [{"title": "Orbit of a comet", "description": WORDS["AST"]}, {"id": 1}]
    # The first request starts the model process; a slow machine may respond that it is not ready.
    wait_for(lambda: send(Client(url, token, books).requests[0])[0] == 200, on_timeout=lambda: "no response")
    clients = [Client(url, token, books) for _ in range(CLIENTS)]

    def wait_for_version(version: str) -> None:
        counts = [len(client.responses) for client in clients]

        def all_clients_use_it() -> bool:
            recent = [client.responses[n:] for client, n in zip(clients, counts, strict=True)]
            return all(version in {name for _status, name in responses} for responses in recent)

        wait_for(all_clients_use_it, on_timeout=lambda: [client.responses[-3:] for client in clients])

    for client in clients:
        client.start()
    try:
        wait_for_version(first)
        promote(version=ModelVersion.objects.get(name=second), now=NOW)
        wait_for_version(second)
        rollback(now=NOW)
        wait_for_version(first)
        counts = [len(client.responses) for client in clients]
        stop_process(model_process_pid(), how=signal.SIGKILL)
        wait_for_version(first)
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join()
    before = [row for client, n in zip(clients, counts, strict=True) for row in client.responses[:n]]
    assert {status for status, _version in before} == {200}
    assert {version for _status, version in before} == {first, second}
    # A slow machine may not restart the model process in time: the response is then 503.
    after = [row for client, n in zip(clients, counts, strict=True) for row in client.responses[n:]]
    assert {status for status, _version in after} <= {200, 503}
    assert {json.loads(body)["code"] for status, body in after if status == 503} <= {"model_unavailable"}
    # The web processes hold no model.
    workers = psutil.Process(gunicorn).children()
    assert len(workers) >= 2
    assert not [w for w in workers if "torch" in Path(f"/proc/{w.pid}/maps").read_text()]
