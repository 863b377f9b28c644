"""What a run that is going on says of itself, and what it is told: the heartbeat."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.db import Error, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.errors import RunCancelledError, RunLostError
from classifier.models import Run
from classifier.services.runs.pace import Pace
from library.console import Progress, no_progress

logger = logging.getLogger(__name__)

Finish = Callable[[dict[str, Any]], None]
"""``finish(result)``: called once, in the transaction of the results where there is one."""


def no_finish(result: dict[str, Any]) -> None:
    """Do nothing: the default for services called without a run."""


BEAT = 1.0
"""Seconds between two heartbeats: as fresh as a page is read, and one small write."""


class Reporter(AbstractContextManager["Reporter"]):
    """The ``progress`` callable of a run: the pipeline calls it at every step.

    A step itself only notes where the run stands. A thread with a connection of its own writes that down
    every `BEAT` seconds, so it is seen while the job's transaction is open, and a step costs nothing. The
    same write tells whether the run is to be cancelled or was given to another process; the next step then
    raises.

    Parameters
    ----------
    run : Run
        Claimed by this process.
    pace : Pace
    onward : callable
        Told of every step too: the bars of a terminal.
    clock : callable
        Returns the time.
    every : float
        Seconds between two heartbeats.

    Raises
    ------
    RunCancelledError, RunLostError
        When called; never while entered or left.
    """

    def __init__(
        self,
        *,
        run: Run,
        pace: Pace,
        onward: Progress = no_progress,
        clock: Callable[[], datetime] = timezone.now,
        every: float = BEAT,
    ) -> None:
        self.run = run
        self.pace = pace
        self._onward = onward
        self._clock = clock
        self._every = every
        self._phase = ""
        self._ended, self._cancelled, self._lost = threading.Event(), threading.Event(), threading.Event()
        # A daemon: a process that is told to end must not wait for it.
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of run {run.pk}", daemon=True)

    def __enter__(self) -> "Reporter":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, phase: str, done: int, total: int) -> None:
        self._phase = phase.partition(":")[0]
        self.pace.step(phase, done, total)
        self._onward(phase, done, total)
        if self._lost.is_set():
            raise RunLostError(_("Run %s was taken for dead and given to another process.") % self.run.pk)
        if self._cancelled.is_set():
            raise RunCancelledError(_("Run %s was cancelled.") % self.run.pk)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(self._every):
                try:
                    self._write()
                except Error as error:
                    # Another writer's long transaction, or the server restarts: the next one may get through.
                    logger.debug("Run %s could not be heard of: %s", self.run.pk, error)
                    connection.close()
        finally:
            connection.close()

    def _write(self) -> None:
        progress, seconds_left = self.pace.reading()
        mine = Run.objects.filter(pk=self.run.pk, status=Run.Status.RUNNING, attempt=self.run.attempt)
        found = mine.update(
            heartbeat_at=self._clock(), progress=progress, phase=self._phase, seconds_left=seconds_left
        )
        if not found:
            self._lost.set()
        elif mine.filter(cancel_requested=True).exists():
            self._cancelled.set()
