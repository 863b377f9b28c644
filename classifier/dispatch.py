"""Dispatch of runs to workers: opens a run and sends its task once that is committed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from classifier.models import Batch, Run
from classifier.services.classification.batches.undo import check_undoable
from classifier.services.runs import lifecycle
from library.celery import app

logger = logging.getLogger(__name__)

MAX_HELPERS = 16
"""Workers asked to assist a batch; one that finds no free chunk costs nothing."""
HELPERS_EXPIRE_AFTER = 3600
"""Seconds; a longer batch continues with the workers that have joined."""
_BROKER_ERRORS = (OperationalError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRun:
    """The run that serves a request; not new if an identical one was already queued or running."""

    run: Run
    is_new: bool

    @property
    def message(self) -> str:
        """Text for the person who requested it."""
        text = (
            _("Job queued: %(run)s.")
            if self.is_new
            else _("An identical job is already queued or running: %(run)s.")
        )
        return text % {"run": self.run}


def request_run(
    *,
    kind: str,
    trigger: str,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    user: User | None = None,
    force: bool = False,
) -> RequestedRun:
    """Open a run and send its task once the caller's transaction is committed; see `lifecycle.open_run`.

    Raises
    ------
    SettingError
        If there is no such kind, or a parameter is invalid.
    """
    run, is_new = lifecycle.open_run(
        kind=kind, trigger=trigger, now=now, parameters=parameters, user=user, force=force
    )
    if is_new:
        transaction.on_commit(partial(_send, run, now))
    return RequestedRun(run=run, is_new=is_new)


def request_undo(*, batch: Batch, trigger: str, now: datetime, user: User | None = None) -> RequestedRun:
    """Request a run that undoes a batch. Raises `BatchStateError` if the batch cannot be undone."""
    check_undoable(batch=batch)
    return request_run(
        kind=Run.Kind.UNDO, trigger=trigger, now=now, parameters={"batch": batch.pk}, user=user
    )


def send_next(*, kind: str, now: datetime) -> None:
    """Send the queued run of a kind that has waited longest for another of its kind to end."""
    for run in lifecycle.waiting(kind=kind)[:1]:
        _send(run, now)


def request_follow_ups(*, run: Run, now: datetime) -> None:
    """Request what follows a run: a new version classifies, and new suggestions reorder the review queue."""
    if run.status != Run.Status.SUCCEEDED or run.unchanged_since_id is not None:
        return
    if run.kind == Run.Kind.TRAIN and run.result["active"]:
        request_run(kind=Run.Kind.RECLASSIFY, trigger=run.trigger, now=now, user=run.requested_by)
    if run.kind in (Run.Kind.RECLASSIFY, Run.Kind.UNDO):
        request_run(kind=Run.Kind.ORDER_REVIEWS, trigger=run.trigger, now=now, user=run.requested_by)


def reap_runs(*, now: datetime) -> int:
    """Restart or close runs whose worker died, and resend lost messages; return how many were sent."""
    lost = lifecycle.reap(now=now)
    for run in lost:
        _send(run, now)
    return len(lost)


def dispatch_helpers(batch_id: int, chunks: int) -> None:
    """Ask other workers to process chunks of a batch; without them the caller processes all."""
    for _number in range(min(chunks - 1, MAX_HELPERS)):
        try:
            _send_task("assist_batch", batch_id, expires=HELPERS_EXPIRE_AFTER)
        except _BROKER_ERRORS:
            logger.exception("No helpers could be dispatched for batch %s", batch_id)
            return


def _send(run: Run, now: datetime) -> None:
    task_id = str(uuid4())
    if not lifecycle.note_sent(run=run, task_id=task_id, now=now):
        return
    try:
        _send_task("execute_run", run.pk, task_id=task_id)
    except _BROKER_ERRORS:
        # The run stays queued; `reap_runs` sends it once the broker is available again.
        lifecycle.note_unsent(run=run, task_id=task_id)
        logger.exception("Run %s could not be sent", run.pk)


def _send_task(name: str, key: int, **options: Any) -> None:
    # Without ignore_result Celery subscribes to a result that nobody reads. While the result backend is
    # unavailable it retries for a long time, then raises another kind of error.
    app.send_task(f"classifier.tasks.{name}", args=[key], ignore_result=True, **options)
