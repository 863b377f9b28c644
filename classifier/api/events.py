"""Progress of a run as server-sent events.

On a server with threads, a response occupies one of them for half a minute. On a server without threads, it
would occupy a whole worker process, and a few clients would block all others; there the response contains the
current state and ends at once. In both cases browsers reconnect by themselves, with the ID of the last event.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

from rest_framework.renderers import JSONRenderer

from classifier.models import Run
from classifier.services.runs.phases import phase_position

MAX_POLLS = 30
"""Polls per response on a server with threads."""
POLL_INTERVAL = 1.0
"""Seconds; a worker records its progress as often."""
RETRY_MS = 2000
"""Milliseconds after which a browser reconnects."""


class EventStreamRenderer(JSONRenderer):
    """Accepts requests for events. Errors are rendered as JSON."""

    media_type = "text/event-stream"
    format = "events"


def run_state(*, run_id: int) -> tuple[dict[str, object], str]:
    """Return the state of a run, and the ID of an event with this state."""
    run = Run.objects.only("kind", "status", "progress", "phase").get(pk=run_id)
    number, count = phase_position(kind=run.kind, phase=run.phase)
    state: dict[str, object] = {
        "status": run.status,
        "progress": run.progress,
        "phase": run.phase,
        "phase_number": number,
        "phase_count": count,
    }
    return state, blake2b(json.dumps(state).encode(), digest_size=8).hexdigest()


def is_finished(state: dict[str, object]) -> bool:
    """Return whether a run is in a final state."""
    return state["status"] not in Run.ACTIVE


def run_events(
    *, run_id: int, last_event_id: str, max_polls: int, pause: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Yield an event for each change of a run's state, until it has finished or was polled often enough.

    Parameters
    ----------
    last_event_id
        ID of the last event the client has received; empty if none.
    pause
        Waits for the given number of seconds.
    """
    yield f"retry: {RETRY_MS}\n\n"
    for poll in range(max_polls):
        if poll:
            pause(POLL_INTERVAL)
        state, event_id = run_state(run_id=run_id)
        if event_id == last_event_id:
            # A comment keeps the connection open.
            yield ": unchanged\n\n"
        else:
            yield f"id: {event_id}\nevent: run\ndata: {json.dumps(state)}\n\n"
        last_event_id = event_id
        if is_finished(state):
            return
