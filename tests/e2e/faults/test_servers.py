"""Outages of the broker and the database while runs are requested, queued or executed."""

import time

import pytest

from classifier.models import Run

pytestmark = pytest.mark.faults

SENT = "Sending due task Restart lost jobs"

queue_kept_or_lost = pytest.mark.parametrize("queue_is_kept", [True, False], ids=["queue kept", "queue lost"])


@queue_kept_or_lost
@pytest.mark.parametrize("kind", ["train", "reclassify", "recommend"])
def test_queued_run_survives_the_broker(library, web, kind):
    run = web.request_run(kind)
    assert library.broker.queued() == 1
    library.broker.kill()
    library.broker.start()
    library.start_beat()
    library.start_worker()
    library.check_completes(web, run, attempt=1)


@pytest.mark.parametrize("queue_is_kept", [False], ids=["queue lost"])
@pytest.mark.parametrize(
    "pause_at", ["train:training", "tune:searching settings", "reclassify:classifying", "recommend:saving"]
)
def test_running_run_does_not_need_the_broker(library, web, pause_at):
    worker = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    library.broker.kill()
    library.resume()
    library.wait_until(lambda: Run.objects.filter(pk=run, status="succeeded").exists())
    library.broker.start()
    library.check_completes(web, run, attempt=1)
    assert worker.terminate() == 0


def test_run_requested_without_a_broker_is_sent_when_it_returns(library, web):
    library.settings = {"RUN_REDISPATCH_AFTER": "600"}
    library.start_worker()
    library.start_beat()
    library.broker.kill()
    started_at = time.monotonic()
    run = web.request_run("recommend")
    assert time.monotonic() - started_at < 30  # a page must not hang
    with library.open_database():
        assert Run.objects.get(pk=run).status == "queued"
    library.broker.start()
    library.check_completes(web, run, attempt=1)


@pytest.mark.parametrize("outage", ["broker", "database", "both"])
def test_programs_started_during_an_outage_connect_later(library, web, outage):
    run = web.request_run("recommend")
    servers = {"broker": [library.broker], "database": [library.database]}
    servers["both"] = [*servers["broker"], *servers["database"]]
    for server in servers[outage]:
        server.kill()
    worker = library.start_worker()
    worker.wait_for_output("could not be confirmed" if outage == "database" else "Cannot connect to")
    for server in servers[outage]:
        server.start()
    library.start_beat()
    library.check_completes(web, run)
    assert worker.terminate() == 0


def test_beat_survives_a_database_outage(library, web):
    library.start_worker()
    beat = library.start_beat()
    beat.wait_for_output(SENT)
    library.database.kill()
    beat.wait_for_output("Connection refused")
    library.database.start()
    run = web.request_run("recommend")
    library.check_completes(web, run)
    beat.wait_for_output(SENT, times=beat.output().count(SENT) + 1)
    assert beat.running
