"""The way to a worker: opens a run and sends its task once that is committed."""

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

from classifier.models import Reclassification, Run
from classifier.services.classification.batches import check_undoable
from classifier.services.runs import lifecycle
from library.celery import app

logger = logging.getLogger(__name__)

HELPERS = 16
"""Workers called to a batch at most; to one that finds nothing to do any more it costs nothing."""
HELP_EXPIRES = 3600
"""Seconds; a batch that takes longer goes on with those who came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The run that does what was asked, and whether it is a new one."""

    run: Run
    is_new: bool

    @property
    def sentence(self) -> str:
        """What to tell who asked."""
        words = _("%(run)s is queued.") if self.is_new else _("The same was asked for before: it is %(run)s.")
        return words % {"run": self.run}


def ask(
    *,
    kind: str,
    trigger: str,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    user: User | None = None,
    force: bool = False,
) -> Asked:
    """Ask for a run; a worker does it as soon as the caller's transaction is committed and one is free.

    Asked for twice with the same parameters before it is over, it is one run.

    Parameters
    ----------
    kind, trigger : str
        One of `Run.Kind` and of `Run.Trigger`.
    now : datetime
    parameters : mapping, optional
        See `classifier.services.runs.parameters`.
    user : user, optional
        Who asks.
    force : bool
        Do it even if nothing has changed since the last time.

    Raises
    ------
    SettingError
        If there is no such kind, or a parameter does not fit it.
    """
    run, is_new = lifecycle.open_run(
        kind=kind, trigger=trigger, now=now, parameters=parameters, user=user, force=force
    )
    if is_new:
        transaction.on_commit(partial(_send, run, now))
    return Asked(run=run, is_new=is_new)


def ask_to_undo(*, batch: Reclassification, trigger: str, now: datetime, user: User | None = None) -> Asked:
    """Ask for a reclassification to be undone.

    Raises
    ------
    ReclassificationStateError
        If it cannot be undone.
    """
    check_undoable(batch=batch)
    return ask(kind=Run.Kind.UNDO, trigger=trigger, now=now, parameters={"batch": batch.pk}, user=user)


def send_next(*, kind: str, now: datetime) -> None:
    """Send the run of a kind that has waited longest for another of its kind to end."""
    for run in lifecycle.waiting(kind=kind)[:1]:
        _send(run, now)


def follow(*, run: Run, now: datetime) -> None:
    """Ask for what comes after a run: a new version classifies, and new suggestions are reviewed anew."""
    if run.status != Run.Status.SUCCEEDED or run.unchanged_since_id is not None:
        return
    if run.kind == Run.Kind.TRAIN and run.result["active"]:
        ask(kind=Run.Kind.RECLASSIFY, trigger=run.trigger, now=now, user=run.asked_by)
    if run.kind in (Run.Kind.RECLASSIFY, Run.Kind.UNDO):
        ask(kind=Run.Kind.ORDER_REVIEWS, trigger=run.trigger, now=now, user=run.asked_by)


def reap(*, now: datetime) -> int:
    """Look after runs whose worker died or whose message was lost; return how many were sent again."""
    lost = lifecycle.reap(now=now)
    for run in lost:
        _send(run, now)
    return len(lost)


def call_help(batch_id: int, chunks: int) -> None:
    """Tell workers that there are chunks of a batch to do; who asks does them all if nobody comes."""
    for _number in range(min(chunks - 1, HELPERS)):
        try:
            _send_task("reclassify_chunks", batch_id, expires=HELP_EXPIRES)
        except (OperationalError, OSError):
            logger.exception("No help could be called for batch %s", batch_id)
            return


def _send(run: Run, now: datetime) -> None:
    task_id = str(uuid4())
    if not lifecycle.note_sent(run=run, task_id=task_id, now=now):
        return
    try:
        _send_task(run.kind, run.pk, task_id=task_id)
    except (OperationalError, OSError):
        # The run stays queued, and `reap` sends it once the broker is back.
        lifecycle.note_unsent(run=run, task_id=task_id)
        logger.exception("Run %s could not be sent", run.pk)


def _send_task(name: str, key: int, **options: Any) -> None:
    # Without ignore_result Celery listens for the answer, which nobody wants. While the store of answers is
    # away, it tries that for long and ends with an error of another kind.
    app.send_task(f"classifier.tasks.{name}", args=[key], ignore_result=True, **options)
