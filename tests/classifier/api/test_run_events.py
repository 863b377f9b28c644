"""Server-sent events of a run."""

import json

import pytest

from classifier.api.events import MAX_POLLS, RETRY_MS, run_events
from classifier.models import Run
from library.admin_site.roles import ANALYSTS
from tests.classifier.factories import make_run
from tests.factories import NOW
from tests.logins import api, make_user, make_user_without_permissions

pytestmark = pytest.mark.django_db


def parse_events(parts):
    """Return the ID and the data of each event of a stream, without comments."""
    parsed = []
    for part in parts:
        lines = dict(line.split(": ", 1) for line in part.strip().split("\n"))
        if "event" in lines:
            assert lines["event"] == "run"
            parsed.append((lines["id"], json.loads(lines["data"])))
    return parsed


def running_run(steps):
    """Return a running run, and a `pause` that advances it by one step."""
    run = make_run(status="running", phase="training", progress=0.25)
    steps = iter(steps)
    return run, lambda _seconds: Run.objects.filter(pk=run.pk).update(**next(steps))


def test_each_change_is_an_event():
    finished = {"status": "succeeded", "finished_at": NOW, "progress": 1, "phase": ""}
    run, pause = running_run([{"progress": 0.5}, {"progress": 0.5}, finished])
    parts = list(run_events(run_id=run.pk, last_event_id="", max_polls=MAX_POLLS, pause=pause))
    assert parts[0] == f"retry: {RETRY_MS}\n\n"
    assert parts[3] == ": unchanged\n\n"
    assert [state for _name, state in parse_events(parts)] == [
        {"status": "running", "progress": 0.25, "phase": "training", "phase_number": 4, "phase_count": 8},
        {"status": "running", "progress": 0.5, "phase": "training", "phase_number": 4, "phase_count": 8},
        {"status": "succeeded", "progress": 1, "phase": "", "phase_number": None, "phase_count": 8},
    ]
    assert len({name for name, _state in parse_events(parts)}) == 3


def test_stream_is_bounded():
    run, pause = running_run([{"progress": number / 10} for number in range(3, 10)])
    assert len(parse_events(run_events(run_id=run.pk, last_event_id="", max_polls=4, pause=pause))) == 4


def test_reconnecting_client_gets_changes_only():
    run, pause = running_run([{"progress": 0.5}])
    ((name, _state),) = parse_events(run_events(run_id=run.pk, last_event_id="", max_polls=1))
    again = list(run_events(run_id=run.pk, last_event_id=name, max_polls=2, pause=pause))
    assert again[1] == ": unchanged\n\n"
    assert [state["progress"] for _name, state in parse_events(again)] == [0.5]


def test_without_threads_one_event_per_response():
    run = make_run(status="running")
    client = api(make_user(ANALYSTS))
    url = f"/api/v1/runs/{run.pk}/events/"
    response = client.get(url, headers={"accept": "text/event-stream"})
    assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
    ((name, state),) = parse_events(part.decode() for part in response)
    assert state["status"] == "running"
    assert parse_events(part.decode() for part in client.get(url, headers={"last-event-id": name})) == []
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=NOW)
    ((name, state),) = parse_events(
        part.decode() for part in client.get(url, headers={"last-event-id": name})
    )
    assert state["status"] == "cancelled"
    assert client.get(url, headers={"last-event-id": name}).status_code == 204


def test_with_threads_stream_lasts_until_run_ends():
    run = make_run(status="running")
    response = api(make_user(ANALYSTS)).get(f"/api/v1/runs/{run.pk}/events/", **{"wsgi.multithread": True})
    stream = iter(response)
    parts = [next(stream), next(stream)]
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=NOW)
    parts += list(stream)
    assert [state["status"] for _name, state in parse_events(part.decode() for part in parts)] == [
        "running", "cancelled"
    ]  # fmt: skip


def test_errors_are_json():
    run = make_run()
    response = api(make_user_without_permissions()).get(
        f"/api/v1/runs/{run.pk}/events/", headers={"accept": "text/event-stream"}
    )
    assert (response.status_code, json.loads(response.content)["code"]) == (403, "permission_denied")
    response = api(make_user(ANALYSTS)).get("/api/v1/runs/0/events/", headers={"accept": "text/event-stream"})
    assert (response.status_code, json.loads(response.content)["code"]) == (404, "not_found")
