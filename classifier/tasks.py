"""Celery tasks: one a kind of run, what a schedule sends, and what looks after runs.

The run in the database is the truth, and a task only brings its number: delivered twice, it does nothing.
"""

import logging
from functools import partial
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from classifier import dispatch
from classifier.errors import ClassifierError
from classifier.models import Run

logger = logging.getLogger(__name__)

#: A message outlives the worker that dies of it, and what became of a run stands in the database.
_of_a_run: Any = partial(
    shared_task, bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True
)


@_of_a_run()
def train(self: Task, run_id: int) -> None:
    """Train a version; it takes over if the gate lets it."""
    _work(self, run_id)


@_of_a_run()
def tune(self: Task, run_id: int) -> None:
    """Search better settings for training."""
    _work(self, run_id)


@_of_a_run()
def reclassify(self: Task, run_id: int) -> None:
    """Suggest categories with the active version."""
    _work(self, run_id)


@shared_task(ignore_result=True)
def reclassify_chunks(batch_id: int) -> None:
    """Help with a batch that another worker works on."""
    from classifier.services.classification.chunk_worker import (
        help_with,  # loads torch, which a web process can do without
    )

    help_with(batch_id=batch_id)


@_of_a_run()
def undo(self: Task, run_id: int) -> None:
    """Take a reclassification back."""
    _work(self, run_id)


@_of_a_run()
def recommend(self: Task, run_id: int) -> None:
    """Replace recommendations and similar titles."""
    _work(self, run_id)


@_of_a_run()
def order_reviews(self: Task, run_id: int) -> None:
    """Order the books that wait for review."""
    _work(self, run_id)


@_of_a_run()
def draw_map(self: Task, run_id: int) -> None:
    """Draw the map of the collection."""
    _work(self, run_id)


@shared_task(ignore_result=True)
def ask(kind: str, parameters: dict[str, Any] | None = None, force: bool = False) -> None:
    """Ask for a run, as a schedule does; asked for again before it is over, it is the same run."""
    now = timezone.now()
    dispatch.ask(kind=kind, trigger=Run.Trigger.SCHEDULE, now=now, parameters=parameters, force=force)


@shared_task(ignore_result=True)
def reap() -> None:
    """Take up again, or close, runs whose worker died; send again those whose message was lost."""
    dispatch.reap(now=timezone.now())


@shared_task
def look_for_drift() -> None:
    """Compare what the active version sees now with what it was trained on; raise alarms."""
    from classifier.services.training.drift import look_for_drift as look  # loads torch

    try:
        look(now=timezone.now())
    except ClassifierError as error:
        # Nothing was trained yet, or nothing can be loaded, which has an alarm of its own.
        logger.info("Drift was not looked for: %s", error.message)


def _work(task: Task, run_id: int) -> None:
    from classifier.services.jobs import work  # loads torch, which a web process can do without

    run = work(run_id=run_id, task_id=task.request.id or "", call_help=dispatch.call_help)
    if run is not None:
        dispatch.send_next(kind=run.kind, now=timezone.now())
        dispatch.follow(run=run, now=timezone.now())
