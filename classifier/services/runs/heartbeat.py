"""Heartbeat of a running job: writes its progress, and detects cancellation and loss."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from django.db import Error, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.errors import RunCancelledError, RunLostError
from classifier.models import Run
from classifier.services.runs.phases import PhaseProgress
from library.console import Progress, no_progress

logger = logging.getLogger(__name__)

HEARTBEAT_INTERVAL = 1.0
"""Seconds: as often as a page refreshes, for the price of one small write."""


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """The ``progress`` callable of a run claimed by this process, also passed to `forward_to`.

    A step only records the progress in memory. A thread with its own connection writes it every `interval`
    seconds, so it is visible while the job's transaction is open. The same write reads whether the run was
    cancelled or given to another process; the next step then raises `RunCancelledError` or `RunLostError`,
    entering and leaving never.
    """

    def __init__(
        self,
        *,
        run: Run,
        forward_to: Progress = no_progress,
        clock: Callable[[], datetime] = timezone.now,
        interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        self.run = run
        self._progress = PhaseProgress(kind=run.kind)
        self._forward_to = forward_to
        self._clock = clock
        self._interval = interval
        self._ended, self._cancelled, self._lost = threading.Event(), threading.Event(), threading.Event()
        # A daemon thread does not keep a terminated process alive.
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of run {run.pk}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, phase: str, done: int, total: int) -> None:
        self._progress.step(phase, done, total)
        self._forward_to(phase, done, total)
        if self._lost.is_set():
            raise RunLostError(_("Job %s stopped responding and was restarted elsewhere.") % self.run.pk)
        if self._cancelled.is_set():
            raise RunCancelledError(_("Job %s was cancelled.") % self.run.pk)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(self._interval):
                try:
                    self._write()
                except Error as error:
                    # A long transaction of another writer, or a database restart: the next write may succeed.
                    logger.debug("Heartbeat of run %s failed: %s", self.run.pk, error)
                    connection.close()
        finally:
            connection.close()

    def _write(self) -> None:
        phase, progress = self._progress.read()
        claimed = Run.objects.filter(pk=self.run.pk, status=Run.Status.RUNNING, attempt=self.run.attempt)
        if not claimed.update(heartbeat_at=self._clock(), progress=progress, phase=phase):
            self._lost.set()
        elif claimed.filter(cancel_requested=True).exists():
            self._cancelled.set()
