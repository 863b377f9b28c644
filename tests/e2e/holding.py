"""A worker that stops at one step of one kind of run, so that a test can do something to it there.

``celery -A tests.e2e.holding worker`` with ``HOLD_AT=kind:phase`` and ``HOLD_FILE``: at the first step of the
phase the file is made, and the work goes on when it is gone. A run that is taken up again is not held.
"""

import os
import threading
from pathlib import Path
from typing import Any

from celery.signals import import_modules

from library.celery import app

__all__ = ["app"]


@import_modules.connect(weak=False)
def hold(**kwargs: Any) -> None:
    """Put the stop in front of every step; the rest is as it is."""
    from classifier.services.reporting import Reporter

    kind, _, phase = os.environ["HOLD_AT"].partition(":")
    file = Path(os.environ["HOLD_FILE"])
    step = Reporter.__call__
    held = threading.Event()

    def held_step(self: Reporter, name: str, done: int, total: int) -> None:
        here = self.run.kind == kind and name.partition(":")[0] == phase and self.run.attempt == 1
        if here and not held.is_set():
            held.set()
            file.touch()
            print(f"held at {kind}:{phase}", flush=True)
            while file.exists():
                threading.Event().wait(0.05)
        step(self, name, done, total)

    Reporter.__call__ = held_step  # type: ignore[method-assign]
