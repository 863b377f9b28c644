"""The model server, run in this process."""

import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Listener

import pytest

from classifier.errors import ServingError
from classifier.models import ModelVersion
from classifier.services.serving import autostart, client
from classifier.services.serving import server as server_module
from classifier.services.serving.batching import Request, RequestQueue
from classifier.services.serving.client import connect, receive, request, send, socket_address, socket_path
from classifier.services.serving.loaded_model import LoadedModel
from classifier.services.serving.server import MAX_AGE, RETRY_AFTER, ModelServer, serve
from tests.classifier.factories import make_stored_version, make_version
from tests.classifier.libraries import WORDS
from tests.classifier.serving_process import running_server
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(trained):
    return LoadedModel.current()


@contextmanager
def started(server):
    """Run a server in a thread until it stops."""
    server.bind()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


def books_message(*titles, **more):
    empty = dict.fromkeys(("subtitle", "authors", "publisher", "language"), "")
    books = [
        {"id": None, "title": title, "year": None, "description": "", "cover": None, "audio": None} | empty
        for title in titles
    ]
    return {"books": books, "ranks": 1, "evidence": False, "rejected": {}, "current": {}} | more


def first_categories(response):
    return [ranking[0]["category"] for ranking in response["books"]]


def test_failing_request_fails_alone(loaded):
    wrong = books_message("Orbit")
    wrong["books"][0]["authors"] = 7
    messages = {f"local/{notation}": books_message(words) for notation, words in WORDS.items()} | {
        "two": books_message(WORDS["COO"], WORDS["AST"], evidence=True, ranks=2),
        "merged": books_message(WORDS["AST"], current={"local/AST": "local/HIS"}),
        "wrong": wrong,
    }
    with running_server(), ThreadPoolExecutor(24) as threads:
        responses = [(name, threads.submit(request, messages[name])) for name in list(messages) * 4]
        for name, response in responses:
            if name == "wrong":
                with pytest.raises(ServingError, match="The model failed"):
                    response.result()
            elif name == "two":
                assert first_categories(response.result()) == ["local/COO", "local/AST"]
                assert [len(ranking) for ranking in response.result()["books"]] == [2, 2]
            else:
                assert first_categories(response.result()) == ["local/HIS" if name == "merged" else name]


def test_requests_with_the_same_options_form_a_batch(loaded):
    queue = RequestQueue()
    catalogued = books_message("Orbit") | {"books": [books_message("Orbit")["books"][0] | {"id": "b000"}]}
    other_ranks = books_message("Soup", ranks=2)
    for message in (books_message("Orbit"), books_message("Soup"), catalogued, catalogued, other_ranks):
        queue.put(Request(message=message, books=list(server_module._records(message, client.folder()))))
    # The same book twice, and another number of ranks, come later.
    assert [len(queue.next_batch()) for _ in range(3)] == [3, 1, 1]


def test_socket_is_private_and_removed(loaded, data_folder):
    with running_server():
        assert stat.S_IMODE(socket_path().stat().st_mode) == 0o600
        assert stat.S_IMODE(socket_path().parent.stat().st_mode) == 0o700
    assert list((data_folder / "serving").iterdir()) == []


def test_path_too_long_for_a_socket(loaded, settings, data_folder):
    settings.DATA_DIR = data_folder / ("long" * 30)
    with running_server():
        assert len(os.fsencode(socket_path())) > 107
        assert first_categories(request(books_message(WORDS["AST"]))) == ["local/AST"]


@pytest.mark.parametrize("sent", [b"no", b""])
def test_invalid_message_is_dropped(loaded, sent):
    with running_server():
        with connect() as connection:
            connection.send_bytes(sent)
            with pytest.raises((EOFError, OSError)):
                connection.recv_bytes()
        assert first_categories(request(books_message(WORDS["COO"]))) == ["local/COO"]


def test_oversized_message_is_dropped(loaded, monkeypatch):
    with running_server():
        monkeypatch.setattr(client, "MAX_BYTES", 10)
        with connect() as connection:
            connection.send_bytes(b"x" * 11)
            with pytest.raises((EOFError, OSError)):
                connection.recv_bytes()


def test_request_is_sent_again_a_few_times(data_folder):
    received = []

    def hang_up(listener):
        for _attempt in range(client.MAX_ATTEMPTS):
            with listener.accept() as connection:
                received.append(receive(connection))

    with socket_address() as address, Listener(address, "AF_UNIX") as listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(hang_up, listener)
        with pytest.raises(ServingError, match="not ready yet"):
            request(books_message("Orbit"))
        done.result()
    assert received == [books_message("Orbit")] * client.MAX_ATTEMPTS


def test_messages_keep_their_content(data_folder):
    with (
        socket_address() as address,
        Listener(address, "AF_UNIX") as listener,
        connect() as near,
        listener.accept() as far,
    ):
        send(near, {"title": "第一本书", "year": None})
        assert receive(far) == {"title": "第一本书", "year": None}


def test_without_a_server_the_error_says_so_at_once(data_folder):
    began = time.monotonic()
    with pytest.raises(ServingError, match=r"not running. Start it with manage\.py serve_model"):
        request(books_message("Orbit"))
    assert time.monotonic() - began < 5


def test_stale_socket_of_a_killed_server_is_replaced(loaded):
    socket_path().touch()
    with running_server():
        assert first_categories(request(books_message(WORDS["AST"]))) == ["local/AST"]


def test_second_server_is_refused(data_folder, monkeypatch):
    with server_module._single_server(), pytest.raises(ServingError, match="already running"):
        serve()


def test_idle_server_stops(loaded):
    now = 0.0
    server = ModelServer(loaded=loaded, idle=60, clock=lambda: now)
    server.bind()
    now = 60
    server.look()
    assert not server.stopping.is_set()
    now = 61
    server.look()
    assert server.stopping.is_set()
    server.serve()  # returns at once
    assert not socket_path().exists()


def test_without_a_limit_an_idle_server_stays(loaded):
    now = 0.0
    server = ModelServer(loaded=loaded, clock=lambda: now)
    now = 1e6
    server.look()
    assert not server.stopping.is_set()


def test_model_is_reloaded_for_another_version_and_hourly(loaded, monkeypatch):
    now = 0.0
    loads = []

    def current():
        loads.append(now)
        return replace(loaded, active=ModelVersion.objects.get(state="active").name)

    monkeypatch.setattr(LoadedModel, "current", current)
    server = ModelServer(loaded=loaded, clock=lambda: now)
    server.look()
    assert loads == []
    ModelVersion.objects.update(state="retired")
    server.look()  # none is active: the one in memory stays
    assert (loads, server.loaded) == ([], loaded)
    make_version(state="active", activated_at=NOW)
    server.look()
    server.look()
    assert len(loads) == 1
    assert server.loaded.active == ModelVersion.objects.get(state="active").name
    now = MAX_AGE + 1
    server.look()
    assert loads == [0, now]


def test_damaged_version_is_reported_and_retried(data_folder, monkeypatch):
    now = 0.0
    version = make_stored_version(state="active", activated_at=NOW)
    server = ModelServer(clock=lambda: now)
    look, server.look = server.look, lambda: None
    with started(server):
        look()
        with pytest.raises(ServingError, match=f"Train again or restore {version.name}"):
            request(books_message("Orbit"))
        loads = []
        monkeypatch.setattr(LoadedModel, "current", lambda: loads.append(now))
        look()
        assert loads == []
        now = RETRY_AFTER + 1
        look()
        assert loads == [now]


def test_autostart_setting(data_folder, settings, monkeypatch):
    settings.MODEL_SERVER_AUTOSTART = True
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    starts = []
    monkeypatch.setattr(autostart, "start", lambda *, log: starts.append(log))
    with pytest.raises(ServingError, match="not ready yet"):
        request(books_message("Orbit"))
    assert set(starts) == {data_folder / "serving" / "log"}


def test_failed_start_is_not_repeated_at_once(data_folder, settings, monkeypatch):
    monkeypatch.setattr(autostart, "_process", None)
    monkeypatch.setattr(autostart.sys, "executable", "/bin/false")
    log = client.folder() / "log"
    autostart.start(log=log)
    autostart._process.wait()
    with pytest.raises(ServingError, match="could not be started"):
        autostart.start(log=log)
    monkeypatch.setattr(autostart, "RETRY_AFTER", 0)
    autostart.start(log=log)
    autostart._process.wait()


def test_unusable_folder_is_reported(data_folder):
    (data_folder / "serving").write_text("not a folder")
    with pytest.raises(ServingError, match=r"not running"):
        request(books_message("Orbit"))
