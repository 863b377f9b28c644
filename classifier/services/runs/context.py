"""Context of a job: what its caller passes to the service."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from classifier.models import Run
from library.console import Progress, no_progress

Finish = Callable[[dict[str, Any]], None]
"""``finish(result)``: called once, in the transaction of the results where there is one."""
DispatchHelpers = Callable[[int, int], None]
"""``dispatch_helpers(batch_id, chunks)``: ask other workers to process chunks of a batch."""


def no_finish(result: dict[str, Any]) -> None:
    """Do nothing: the default for a service called without a run."""


def no_helpers(batch_id: int, chunks: int) -> None:
    """Dispatch nothing: the default for a service called in a single process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The time a job started, its run (None when called without one), and its callbacks.

    Attributes
    ----------
    progress
        Called at every step as ``progress(phase, done, total)``; raises if the run is to stop.
    """

    now: datetime
    run: Run | None = None
    progress: Progress = no_progress
    finish: Finish = no_finish
    dispatch_helpers: DispatchHelpers = no_helpers
    clock: Callable[[], datetime] = timezone.now
