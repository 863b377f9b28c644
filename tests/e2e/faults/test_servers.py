"""The broker and the database away while somebody wants something of them."""

import time

import pytest

from classifier.models import Run

pytestmark = pytest.mark.faults

SENT = "Sending due task look after runs"

queue_kept_or_not = pytest.mark.parametrize("queue_is_kept", [True, False], ids=["queue kept", "queue lost"])


@pytest.fixture
def web(library):
    with library.web() as web:
        yield web


@queue_kept_or_not
@pytest.mark.parametrize("kind", ["train", "reclassify", "recommend"])
def test_a_run_that_was_queued_when_the_broker_died_is_done(library, web, kind):
    run = web.ask(kind)
    assert library.broker.queued() == 1
    library.broker.kill()
    library.broker.start()
    library.beat()
    library.worker()
    library.comes_to_its_end(web, run, attempt=1)


@pytest.mark.parametrize("queue_is_kept", [False], ids=["queue lost"])
@pytest.mark.parametrize(
    "at", ["train:learning", "tune:searching", "reclassify:classifying", "recommend:saving"]
)
def test_a_run_goes_on_without_the_broker_that_brought_it(library, web, at):
    worker = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    library.broker.kill()
    library.go_on()
    library.when(lambda: Run.objects.filter(pk=run, status="succeeded").exists())
    library.broker.start()
    library.comes_to_its_end(web, run, attempt=1)
    assert worker.end() == 0


def test_a_run_asked_for_without_a_broker_is_sent_as_soon_as_there_is_one(library, web):
    library.more = {"RUN_RESEND_SECONDS": "600"}
    library.worker()
    library.beat()
    library.broker.kill()
    began = time.monotonic()
    run = web.ask("recommend")
    assert time.monotonic() - began < 30  # a page must not hang
    with library.opened():
        assert Run.objects.get(pk=run).status == "queued"
    library.broker.start()
    library.comes_to_its_end(web, run, attempt=1)


@pytest.mark.parametrize("away", ["broker", "database", "both"])
def test_programs_started_while_a_server_is_away_find_it_later(library, web, away):
    run = web.ask("recommend")
    servers = {"broker": [library.broker], "database": [library.database]}
    servers["both"] = [*servers["broker"], *servers["database"]]
    for server in servers[away]:
        server.kill()
    worker = library.worker()
    worker.wait_until_said("could not be confirmed" if away == "database" else "Cannot connect to")
    for server in servers[away]:
        server.start()
    library.beat()
    library.comes_to_its_end(web, run)
    assert worker.end() == 0


def test_beat_lives_through_a_database_that_comes_and_goes(library, web):
    library.worker()
    beat = library.beat()
    beat.wait_until_said(SENT)
    library.database.kill()
    beat.wait_until_said("Connection refused")
    library.database.start()
    run = web.ask("recommend")
    library.comes_to_its_end(web, run)
    beat.wait_until_said(SENT, times=beat.said().count(SENT) + 1)
    assert beat.running
