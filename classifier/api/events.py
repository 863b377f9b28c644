"""A run as server-sent events: how far it is, while it goes on.

Where the server has threads, an answer lives for half a minute and costs one of them. Where it has none, it
would hold a whole worker, and a few who watch would keep out everyone else: so it tells how far the run is
and ends at once. Either way the browser connects again by itself, and says what it heard last.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

from rest_framework.renderers import JSONRenderer

from classifier.models import Run

LOOKS = 30
"""How often an answer looks at the run, where the server has threads: half a minute."""
PAUSE = 1.0
"""Seconds between two looks; a worker notes as often how far it is."""
RETRY = 2000
"""Milliseconds until a browser connects again."""

_TOLD = ("status", "progress", "phase", "seconds_left")


class EventStreamRenderer(JSONRenderer):
    """Lets a browser ask for events; what is no event, an error, is JSON all the same."""

    media_type = "text/event-stream"
    format = "events"


def state_of(*, run_id: int) -> tuple[dict[str, object], str]:
    """Return how far a run is, and a name of this state."""
    state = Run.objects.values(*_TOLD).get(pk=run_id)
    return state, blake2b(json.dumps(state).encode(), digest_size=8).hexdigest()


def is_over(state: dict[str, object]) -> bool:
    """Return whether a run will change no more."""
    return state["status"] not in Run.ACTIVE


def events(
    *, run_id: int, heard: str, looks: int, pause: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Yield how far a run is whenever that has changed, until it is over or has been looked at so often.

    Parameters
    ----------
    run_id : int
    heard : str
        Name of the state that was told last; empty if none was.
    looks : int
    pause : callable
        Waits for so many seconds.
    """
    yield f"retry: {RETRY}\n\n"
    for look in range(looks):
        if look:
            pause(PAUSE)
        state, name = state_of(run_id=run_id)
        # A comment keeps the connection open on its way, and tells that the server is there.
        yield ": as before\n\n" if name == heard else f"id: {name}\nevent: run\ndata: {json.dumps(state)}\n\n"
        heard = name
        if is_over(state):
            return
