"""Switchboard of jobs: maps each kind of run to its service and records the outcome in the run."""

import logging
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from classifier.errors import RunCancelledError, RunLostError
from classifier.models import Run
from classifier.services import skip_unchanged
from classifier.services.classification.batches.undo import undo_batch
from classifier.services.classification.reclassify import classify
from classifier.services.collection_map import draw_map
from classifier.services.recommendation.listings import refresh_listings
from classifier.services.recommendation.recommend import recommend
from classifier.services.review.ordering import order_reviews
from classifier.services.runs import lifecycle
from classifier.services.runs.context import DispatchHelpers, JobContext, no_helpers
from classifier.services.runs.heartbeat import Heartbeat
from classifier.services.runs.phases import READING
from classifier.services.training.training import train
from classifier.services.training.tuning import tune
from library.console import Progress, no_progress
from library.errors import LibraryError

logger = logging.getLogger(__name__)

Service = Callable[..., dict[str, Any]]
SERVICES: dict[str, Service] = {
    Run.Kind.TRAIN: train,
    Run.Kind.TUNE: tune,
    Run.Kind.RECLASSIFY: classify,
    Run.Kind.UNDO: undo_batch,
    Run.Kind.RECOMMEND: recommend,
    Run.Kind.ORDER_REVIEWS: order_reviews,
    Run.Kind.DRAW_MAP: draw_map,
}
"""By kind: called as ``service(context, **parameters)``."""
_DATABASE_ERRORS = (OperationalError, InterfaceError)


def execute_run(
    *,
    run_id: int,
    task_id: str = "",
    dispatch_helpers: DispatchHelpers = no_helpers,
    clock: Callable[[], datetime] = timezone.now,
) -> Run | None:
    """Execute a queued run, requested by the message `task_id`, and record its outcome.

    None, with nothing done, if the run is not queued or another of its kind is running; also if the database
    became unavailable: without a heartbeat the run is queued again.
    """
    run = lifecycle.claim(run_id=run_id, now=clock(), task_id=task_id)
    if run is None:
        return None
    try:
        _execute(run, clock=clock, dispatch_helpers=dispatch_helpers)
    except LibraryError as error:
        logger.info("%s ended: %s", run, error.message)
    except _DATABASE_ERRORS as error:
        logger.warning("Run %s was interrupted: the database is unavailable: %s", run.pk, error)
        connection.close()  # the next task must not get a dead connection
        return None
    except Exception:
        logger.exception("Run %s ended with an error", run.pk)
    run.refresh_from_db()
    return run


def run_here(
    *,
    kind: str,
    now: datetime,
    parameters: dict[str, Any] | None = None,
    force: bool = False,
    output: Path | None = None,
    progress: Progress = no_progress,
    clock: Callable[[], datetime] = timezone.now,
) -> dict[str, Any]:
    """Open a run and execute it in this process, as commands do; return the result of the service.

    Parameters
    ----------
    force
        Execute it even if nothing has changed since the last run.
    output
        A file for the job to write; with one, the job is never skipped as unchanged.

    Returns
    -------
    dict
        If nothing has changed, the previous result and the text ``skipped``.

    Raises
    ------
    AlreadyRunningError
        If another run of the kind is running.
    LibraryError
        Any of the service; the run has failed then.
    """
    run = lifecycle.open_claimed(
        kind=kind, trigger=Run.Trigger.COMMAND, now=now, parameters=parameters, force=force
    )
    return _execute(run, clock=clock, forward_to=progress, output=output)


def _execute(
    run: Run,
    *,
    clock: Callable[[], datetime],
    forward_to: Progress = no_progress,
    output: Path | None = None,
    dispatch_helpers: DispatchHelpers = no_helpers,
) -> dict[str, Any]:
    def end(status: str, **fields: Any) -> None:
        lifecycle.close(run=run, status=status, now=clock(), **fields)

    def finish(result: dict[str, Any]) -> None:
        end(Run.Status.SUCCEEDED, result=skip_unchanged.summarise(run.kind, result))

    with Heartbeat(run=run, forward_to=forward_to, clock=clock) as progress:
        try:
            progress(READING, 0, 1)
            previous = skip_unchanged.previous_identical_run(run=run, now=clock())
            progress(READING, 1, 1)
            if previous and not (run.forced or output):
                if run.kind == Run.Kind.RECOMMEND:
                    refresh_listings(now=clock(), progress=progress)  # "this month" moves on every day
                end(Run.Status.SUCCEEDED, unchanged_since=previous)
                run.unchanged_since = previous
                return skip_unchanged.expand(previous) | {"skipped": run.outcome}
            context = JobContext(
                now=clock(),
                run=run,
                progress=progress,
                finish=finish,
                dispatch_helpers=dispatch_helpers,
                clock=clock,
            )
            parameters = run.parameters | ({"output": output} if output else {})
            return SERVICES[run.kind](context, **parameters)
        except (RunCancelledError, KeyboardInterrupt):
            end(Run.Status.CANCELLED)
            raise
        except (RunLostError, *_DATABASE_ERRORS):
            # Another process owns the run now, or nothing can be written. A lost database is not a bug of the
            # job: without a heartbeat the run is queued again.
            raise
        except LibraryError as error:
            end(Run.Status.FAILED, error=error.message)
            raise
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            end(Run.Status.ERRORED, error=message, traceback=traceback.format_exc())
            raise
