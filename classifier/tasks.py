"""Celery tasks: execution of runs, scheduled requests for runs, and supervision.

The run in the database is the truth; a task carries only its number. A task delivered twice does nothing.
"""

import logging
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from classifier import dispatch
from classifier.errors import ClassifierError
from classifier.models import Run

logger = logging.getLogger(__name__)


# The message survives a worker that dies of it; the outcome is recorded in the run.
@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def execute_run(self: Task, run_id: int) -> None:
    """Execute a queued run, whatever its kind, then dispatch what comes after it."""
    from classifier.services.jobs import execute_run  # imports torch, which a web process does not need

    run = execute_run(
        run_id=run_id, task_id=self.request.id or "", dispatch_helpers=dispatch.dispatch_helpers
    )
    if run is not None:
        dispatch.send_next(kind=run.kind, now=timezone.now())
        dispatch.request_follow_ups(run=run, now=timezone.now())


@shared_task(ignore_result=True)
def assist_batch(batch_id: int) -> None:
    """Process free chunks of a batch that another worker has started."""
    from classifier.services.classification.chunk_worker import assist_batch  # imports torch

    assist_batch(batch_id=batch_id)


@shared_task(ignore_result=True)
def request_run(kind: str, parameters: dict[str, Any] | None = None, force: bool = False) -> None:
    """Request a run, as a schedule does; a second request before it ends returns the same run."""
    now = timezone.now()
    trigger = Run.Trigger.SCHEDULE
    dispatch.request_run(kind=kind, trigger=trigger, now=now, parameters=parameters, force=force)


@shared_task(ignore_result=True)
def reap_runs() -> None:
    """Restart or close runs whose worker died; resend those whose message was lost."""
    dispatch.reap_runs(now=timezone.now())


@shared_task
def check_drift() -> None:
    """Compare recent books and reviews with what the active version was trained on; raise alerts."""
    from classifier.services.training.drift import check_drift  # imports torch

    try:
        check_drift(now=timezone.now())
    except ClassifierError as error:
        # No version exists yet, or none can be loaded, which has its own alert.
        logger.info("Drift check skipped: %s", error.message)
