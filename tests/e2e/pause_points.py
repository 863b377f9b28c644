"""Celery worker that pauses at one point of one kind of task, so that a test can interfere there.

``celery -A tests.e2e.pause_points worker`` reads ``PAUSE_FILE``, an existing file, and ``PAUSE_AT``:
``kind:phase`` (the first step of a phase), ``kind:dotted.path`` (before a call) or ``kind:after
dotted.path``; ``kind`` is that of a run or the name of a task. The process that reaches the point renames the
file to ``….paused`` and continues when it is gone. So one process pauses, once, and a restarted run does not.
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

FILE = Path(os.environ["PAUSE_FILE"])
PAUSED = FILE.with_name(FILE.name + ".paused")
KIND, _, POINT = os.environ["PAUSE_AT"].partition(":")
rename = os.rename  # the point may be a call of os.rename
installed = threading.Event()


def pause() -> None:
    try:
        rename(FILE, PAUSED)
    except FileNotFoundError:
        return
    print(f"paused at {KIND}:{POINT}", flush=True)
    while PAUSED.exists():
        threading.Event().wait(0.02)


@task_prerun.connect(weak=False)
def install_pause(task: Task, args: tuple[Any, ...], **kwargs: Any) -> None:
    """Install the pause in the process that executes the task; everything else is unchanged."""
    if KIND not in (task.name.rpartition(".")[2], _kind_of_run(task, args)) or installed.is_set():
        return
    installed.set()
    if "." in POINT:
        pause_at_call(POINT.removeprefix("after "), after=POINT.startswith("after "))
    else:
        pause_at_phase(POINT)


def _kind_of_run(task: Task, args: tuple[Any, ...]) -> str:
    """Return the kind of the run that a task executes; "" for another task."""
    from classifier.models import Run

    if not task.name.endswith(".execute_run"):
        return ""
    return Run.objects.filter(pk=args[0]).values_list("kind", flat=True).first() or ""


def pause_at_phase(phase: str) -> None:
    from classifier.services.runs.heartbeat import Heartbeat

    step = Heartbeat.__call__

    def step_with_pause(self: Heartbeat, name: str, done: int, total: int) -> None:
        if self.run.kind == KIND and name.partition(":")[0] == phase:
            pause()
        step(self, name, done, total)

    Heartbeat.__call__ = step_with_pause  # type: ignore[method-assign]


def pause_at_call(path: str, *, after: bool) -> None:
    owner, _, name = path.rpartition(".")
    function = getattr(resolve_name(owner), name)

    @wraps(function)
    def call_with_pause(*args: Any, **kwargs: Any) -> Any:
        if not after:
            pause()
        result = function(*args, **kwargs)
        if after:
            pause()
        return result

    setattr(resolve_name(owner), name, call_with_pause)
