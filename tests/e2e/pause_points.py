"""A worker that stops at one moment of one kind of task, so that a test can do something to it there.

``celery -A tests.e2e.pause_points worker`` with ``HOLD_FILE``, a file that is there, and ``HOLD_AT``:

- ``kind:phase`` is the first step of a phase of a run,
- ``kind:dotted.path.of.a.function`` is before a call of it, and ``kind:after dotted.path`` is after it.

``kind`` is the name of a task. Who comes there renames the file, to ``….held``, and goes on when it is gone.
So one process stops, once, and a run that is taken up again is not held.
"""

import os
import threading
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from celery import Task
from celery.signals import task_prerun

from library.celery import app

__all__ = ["app"]

FILE = Path(os.environ["HOLD_FILE"])
HELD = FILE.with_name(FILE.name + ".held")
KIND, _, MOMENT = os.environ["HOLD_AT"].partition(":")
rename = os.rename  # a moment may be a call of it
placed = threading.Event()


def stop_here() -> None:
    try:
        rename(FILE, HELD)
    except FileNotFoundError:
        return
    print(f"held at {KIND}:{MOMENT}", flush=True)
    while HELD.exists():
        threading.Event().wait(0.02)


@task_prerun.connect(weak=False)
def place_stop(task: Task, **kwargs: Any) -> None:
    """Put the stop where it is wanted, in the process that does the work; the rest is as it is."""
    if task.name.rpartition(".")[2] != KIND or placed.is_set():
        return
    placed.set()
    if "." in MOMENT:
        stop_at_call(MOMENT.removeprefix("after "), after=MOMENT.startswith("after "))
    else:
        stop_at_phase(MOMENT)


def stop_at_phase(phase: str) -> None:
    from classifier.services.runs.heartbeat import Reporter

    step = Reporter.__call__

    def held_step(self: Reporter, name: str, done: int, total: int) -> None:
        if self.run.kind == KIND and name.partition(":")[0] == phase:
            stop_here()
        step(self, name, done, total)

    Reporter.__call__ = held_step  # type: ignore[method-assign]


def stop_at_call(path: str, *, after: bool) -> None:
    owner, _, name = path.rpartition(".")
    function = getattr(resolve_name(owner), name)

    @wraps(function)
    def held_call(*args: Any, **kwargs: Any) -> Any:
        if not after:
            stop_here()
        found = function(*args, **kwargs)
        if after:
            stop_here()
        return found

    setattr(resolve_name(owner), name, held_call)
