"""A run watched over the API while it goes on."""

import json

import pytest

from classifier.api.events import LOOKS, RETRY, events
from classifier.models import Run
from library.admin_site.roles import ANALYSTS
from tests.classifier.factories import make_run
from tests.factories import NOW
from tests.logins import api, make_reader, make_user

pytestmark = pytest.mark.django_db


def heard(parts):
    """Return what a browser makes of a stream: the id and the data of each event; it sees no comments."""
    found = []
    for part in parts:
        lines = dict(line.split(": ", 1) for line in part.strip().split("\n"))
        if "event" in lines:
            assert lines["event"] == "run"
            found.append((lines["id"], json.loads(lines["data"])))
    return found


def going_on(steps):
    """Return a running run, and a pause in which it takes its next step."""
    run = make_run(status="running", phase="learning", progress=0.25, seconds_left=9)
    steps = iter(steps)
    return run, lambda _seconds: Run.objects.filter(pk=run.pk).update(**next(steps))


def test_each_change_is_an_event_and_the_stream_ends_with_the_run():
    over = {"status": "succeeded", "finished_at": NOW, "progress": 1, "phase": "", "seconds_left": None}
    run, pause = going_on([{"progress": 0.5}, {"progress": 0.5}, over])
    parts = list(events(run_id=run.pk, heard="", looks=LOOKS, pause=pause))
    assert parts[0] == f"retry: {RETRY}\n\n"
    assert parts[3] == ": as before\n\n"
    assert [state for _name, state in heard(parts)] == [
        {"status": "running", "progress": 0.25, "phase": "learning", "seconds_left": 9},
        {"status": "running", "progress": 0.5, "phase": "learning", "seconds_left": 9},
        {"status": "succeeded", "progress": 1, "phase": "", "seconds_left": None},
    ]
    assert len({name for name, _state in heard(parts)}) == 3


def test_a_stream_has_a_bounded_life():
    run, pause = going_on([{"progress": number / 10} for number in range(3, 10)])
    assert len(heard(events(run_id=run.pk, heard="", looks=4, pause=pause))) == 4


def test_who_connects_again_is_told_what_has_changed_since():
    run, pause = going_on([{"progress": 0.5}])
    ((name, _state),) = heard(events(run_id=run.pk, heard="", looks=1))
    again = list(events(run_id=run.pk, heard=name, looks=2, pause=pause))
    assert again[1] == ": as before\n\n"
    assert [state["progress"] for _name, state in heard(again)] == [0.5]


def test_a_server_without_threads_is_held_for_one_look_and_browsers_stop_when_it_is_over():
    run = make_run(status="running")
    client = api(make_user(ANALYSTS))
    address = f"/api/v1/runs/{run.pk}/events/"
    answer = client.get(address, headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    ((name, state),) = heard(part.decode() for part in answer)
    assert state["status"] == "running"
    assert heard(part.decode() for part in client.get(address, headers={"last-event-id": name})) == []
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=NOW)
    ((name, state),) = heard(part.decode() for part in client.get(address, headers={"last-event-id": name}))
    assert state["status"] == "cancelled"
    assert client.get(address, headers={"last-event-id": name}).status_code == 204


def test_where_there_are_threads_the_stream_lives_on_until_the_run_is_over():
    run = make_run(status="running")
    answer = api(make_user(ANALYSTS)).get(f"/api/v1/runs/{run.pk}/events/", **{"wsgi.multithread": True})
    stream = iter(answer)
    parts = [next(stream), next(stream)]
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=NOW)
    parts += list(stream)
    assert [state["status"] for _name, state in heard(part.decode() for part in parts)] == [
        "running", "cancelled"
    ]  # fmt: skip


def test_who_may_not_see_runs_hears_nothing_and_errors_are_json():
    run = make_run()
    answer = api(make_reader()).get(f"/api/v1/runs/{run.pk}/events/", headers={"accept": "text/event-stream"})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (403, "permission_denied")
    answer = api(make_user(ANALYSTS)).get("/api/v1/runs/0/events/", headers={"accept": "text/event-stream"})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (404, "not_found")
