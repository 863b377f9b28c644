"""The process that holds the model, run in this one."""

import os
import socket
import stat
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from classifier.errors import ClassifierError, NoModelError, ServingError
from classifier.models import ModelVersion
from classifier.services.serving import client
from classifier.services.serving import server as model_server
from classifier.services.serving.client import ask, connected, receive, send, socket_path, take_lock
from classifier.services.serving.loaded_model import Holding
from classifier.services.serving.server import FRESH, IDLE, ModelServer, serve
from tests.classifier.factories import make_version
from tests.classifier.libraries import WORDS
from tests.classifier.serving_process import serving
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def holding(trained):
    return Holding.of_today().with_loans()


def question(*words, **more):
    empty = dict.fromkeys(("subtitle", "authors", "publisher", "language"), "")
    books = [
        {"id": None, "title": title, "year": None, "description": "", "cover": None, "audio": None} | empty
        for title in words
    ]
    return {"books": books, "ranks": 1, "evidence": False, "rejected": {}, "current": {}} | more


def named(answer):
    return [ranked[0]["category"] for ranked in answer["books"]]


def test_questions_at_once_get_their_own_answers_and_one_that_fails_spoils_no_other(holding):
    wrong = question("Orbit")
    wrong["books"][0]["authors"] = 7
    asked = {f"local/{notation}": question(words) for notation, words in WORDS.items()} | {
        "two": question(WORDS["COO"], WORDS["AST"], evidence=True, ranks=2),
        "merged": question(WORDS["AST"], current={"local/AST": "local/HIS"}),
        "wrong": wrong,
    }
    with serving(), ThreadPoolExecutor(24) as threads:
        told = [(name, threads.submit(ask, asked[name])) for name in list(asked) * 4]
        for name, answer in told:
            if name == "wrong":
                with pytest.raises(ServingError, match="The model failed"):
                    answer.result()
            elif name == "two":
                assert named(answer.result()) == ["local/COO", "local/AST"]
                assert [len(ranked) for ranked in answer.result()["books"]] == [2, 2]
            else:
                assert named(answer.result()) == ["local/HIS" if name == "merged" else name]
    assert answer.exception() is not None


def test_books_of_the_catalogue_wait_for_the_loans_and_others_do_not(holding):
    known = question(WORDS["AST"])
    known["books"][0]["id"] = "b000"
    server = ModelServer(holding=replace(holding, loans=None))
    server.look = lambda: None
    server.bind()
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(server.serve)
        waiting = threads.submit(ask, known)
        assert named(ask(question(WORDS["COO"]))) == ["local/COO"]
        assert not waiting.done()
        server.read_loans()
        assert named(waiting.result()) == ["local/AST"]
        server.end()
        running.result()


def test_what_waits_is_answered_together_but_for_what_does_not_fit(holding):
    server = ModelServer(holding=holding)
    known = question("Orbit") | {"books": [question("Orbit")["books"][0] | {"id": "b000"}]}
    kinds = [question("Orbit"), question("Soup"), known, known, question("Soup", ranks=2)]
    for each in kinds:
        books = list(model_server._records(each, client.folder()))
        server._waiting.put(model_server._Asked(question=each, books=books))
    sizes = [len(server._next()) for _ in range(3)]
    # One book twice, and another number of ranks, come after.
    assert sizes == [3, 1, 1]


def test_the_socket_is_closed_to_others_and_nothing_else_is_left(holding, data_folder):
    with serving():
        assert stat.S_IMODE(socket_path().stat().st_mode) == 0o600
        assert stat.S_IMODE(socket_path().parent.stat().st_mode) == 0o700
    assert {path.name for path in (data_folder / "serving").iterdir()} == {"lock"}


def test_a_path_too_long_for_a_socket_is_reached_all_the_same(holding, settings, data_folder):
    settings.DATA_DIR = data_folder / ("long" * 30)
    with serving():
        assert len(os.fsencode(socket_path())) > 107
        assert named(ask(question(WORDS["AST"]))) == ["local/AST"]


@pytest.mark.parametrize("sent", [struct.pack("!I", 1 << 31) + b"{}", b"\0\0", b"\0\0\0\x05no", b""])
def test_what_is_no_question_is_hung_up_on_and_the_next_is_answered(holding, sent):
    with serving():
        with connected(timeout=5) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        assert named(ask(question(WORDS["COO"]))) == ["local/COO"]


def test_an_answer_that_breaks_off_is_asked_for_again_but_not_for_ever(data_folder):
    listener = socket.socket(socket.AF_UNIX)
    with client.address(socket_path()) as where:
        listener.bind(where)
    listener.listen()

    heard = []

    def hang_up():
        for _try in range(client.TRIES):
            connection, _from = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                heard.append(receive(stream))

    with listener, ThreadPoolExecutor(1) as threads:
        done = threads.submit(hang_up)
        with pytest.raises(ServingError):
            ask(question("Orbit"))
        done.result()
    assert heard == [question("Orbit")] * client.TRIES


def test_it_ends_when_nobody_asks_and_leaves_the_place_to_another(holding):
    now = 0.0
    server = ModelServer(holding=holding, clock=lambda: now)
    server.bind()
    now = IDLE - 1
    server.look()
    assert (server.ending.is_set(), socket_path().exists()) == (False, True)
    now = IDLE + 1
    server.look()
    assert (server.ending.is_set(), socket_path().exists()) == (True, False)
    server.serve()  # at its end at once


def test_who_was_replaced_ends_and_leaves_the_socket_alone(holding):
    first, second = ModelServer(holding=holding), ModelServer(holding=holding)
    first.bind()
    second.bind()
    first.look()
    second.look()
    assert (first.ending.is_set(), second.ending.is_set()) == (True, False)
    first.end()
    assert socket_path().exists()
    first.serve()
    second.end()
    second.serve()


def test_another_is_started_for_another_version_and_for_loans_of_an_hour_ago(holding, monkeypatch):
    started = []
    monkeypatch.setattr(client, "start", lambda **how: started.append(how))
    now = 0.0
    server = ModelServer(holding=holding, clock=lambda: now)
    server.bind()
    server.look()
    assert started == []
    ModelVersion.objects.update(state="retired")
    server.look()  # nothing is active: what there is serves on
    assert started == []
    make_version(state="active", activated_at=NOW)
    server.look()
    server.look()  # not once more, before that one can have come
    assert started == [{"replacing": True}]
    old = ModelServer(holding=replace(holding, active=ModelVersion.objects.get(state="active").name),
                      clock=lambda: now)  # fmt: skip
    old.bind()
    now = FRESH + 1
    old._asked_at = now
    old.look()
    assert len(started) == 2
    for ended in (server, old):
        ended.end()
        ended.serve()


def test_while_one_is_starting_no_other_is_started(data_folder):
    lock = take_lock()
    assert take_lock() is None
    client.start()
    assert not (data_folder / "serving" / "log").exists()
    with pytest.raises(ServingError, match="just starting"):
        serve(lock=None)
    os.close(lock)


def test_why_none_can_start_is_told_to_who_asks(data_folder):
    with pytest.raises(NoModelError):
        serve(lock=None)
    with pytest.raises(ClassifierError, match="There is no trained model yet"):
        ask(question("Orbit"))


def test_what_keeps_it_from_being_started_is_told(data_folder):
    (data_folder / "serving").write_text("no folder")
    with pytest.raises(ServingError, match=r"cannot be started: .*serving"):
        ask(question("Orbit"))


def test_messages_are_what_was_sent():
    near, far = socket.socketpair()
    with near, far, near.makefile("rwb") as one, far.makefile("rwb") as other:
        send(one, {"title": "第一本书", "year": None})
        assert receive(other) == {"title": "第一本书", "year": None}
