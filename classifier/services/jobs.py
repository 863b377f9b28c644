"""What runs do: each kind's service, and what becomes of the run around it."""

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
from classifier.services.classification.batches import undo_numbered
from classifier.services.classification.chunk_worker import Help, no_help
from classifier.services.classification.reclassify import classify
from classifier.services.collection_map import draw_map
from classifier.services.recommendation.listings import refresh_listings
from classifier.services.recommendation.recommend import recommend
from classifier.services.review.ordering import order_reviews
from classifier.services.runs import lifecycle
from classifier.services.runs.heartbeat import Reporter
from classifier.services.runs.pace import READING, Pace
from classifier.services.training.training import train
from classifier.services.training.tuning import tune
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.errors import LibraryError

logger = logging.getLogger(__name__)

#: By kind: takes the run, its parameters, ``now``, ``progress``, ``finish``, and ``output`` if a file is
#: wanted.
_SERVICES: dict[str, Callable[..., dict[str, Any]]] = {
    Run.Kind.TRAIN: lambda run, **given: train(run=run, **given),
    Run.Kind.TUNE: lambda run, *, now, **given: tune(**given),
    Run.Kind.RECLASSIFY: lambda run, **given: classify(run=run, **given),
    Run.Kind.UNDO: lambda run, **given: undo_numbered(user=run.asked_by, **given),
    Run.Kind.RECOMMEND: lambda run, **given: recommend(**given),
    Run.Kind.ORDER_REVIEWS: lambda run, **given: order_reviews(**given),
    Run.Kind.DRAW_MAP: lambda run, **given: draw_map(**given),
}
_DATABASE_IS_AWAY = (OperationalError, InterfaceError)
_LATELY = 20
"""Runs among which one of about this size is looked for, to estimate the time by."""
_ALIKE = 2.0
"""Times more or fewer books: beyond it, time grows unlike the data."""


def work(
    *,
    run_id: int,
    task_id: str = "",
    call_help: Help = no_help,
    clock: Callable[[], datetime] = timezone.now,
) -> Run | None:
    """Do a queued run to its end, whatever that is: it stands in the run.

    Parameters
    ----------
    run_id : int
    task_id : str
        Of the message that asks for it.
    call_help : callable
        Told of what other workers can do too.
    clock : callable
        Returns the time.

    Returns
    -------
    Run or None
        None if the run is not queued, or another of its kind is running: then nothing is done. None too if
        the database went away: without a heartbeat the run is taken up again.
    """
    run = lifecycle.claim(run_id=run_id, now=clock(), task_id=task_id)
    if run is None:
        return None
    try:
        _do(run, clock=clock, call_help=call_help)
    except LibraryError as error:
        logger.info("%s ended: %s", run, error.message)
    except _DATABASE_IS_AWAY as error:
        logger.warning("Run %s was cut off, as the database went away: %s", run.pk, error)
        connection.close()  # the next task must not find a dead one
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
    """Do a run in this process, as commands do.

    Parameters
    ----------
    kind : str
        One of `Run.Kind`.
    now : datetime
    parameters : dict, optional
    force : bool
        Do it even if nothing has changed since the last time.
    output : Path, optional
        A file that the job is to write too; it is never left out because nothing has changed.
    progress, clock : callable

    Returns
    -------
    dict
        What the job's service returned; of a run that had nothing to do, what it returned the last time,
        and ``skipped``: why, in words.

    Raises
    ------
    AlreadyRunningError
        If one of the kind is running.
    LibraryError
        As the service; the run has failed then.
    """
    run = lifecycle.open_claimed(
        kind=kind, trigger=Run.Trigger.COMMAND, now=now, parameters=parameters, force=force
    )
    return _do(run, clock=clock, onward=progress, output=output)


def _do(
    run: Run,
    *,
    clock: Callable[[], datetime],
    onward: Progress = no_progress,
    output: Path | None = None,
    call_help: Help = no_help,
) -> dict[str, Any]:
    pace = _pace(run)

    def end(status: str, **fields: Any) -> None:
        lifecycle.close(run=run, status=status, now=clock(), timeline=pace.timeline(), **fields)

    def finish(result: dict[str, Any]) -> None:
        end(Run.Status.SUCCEEDED, result=skip_unchanged.in_short(run.kind, result))

    with Reporter(run=run, pace=pace, onward=onward, clock=clock) as progress:
        try:
            progress(READING, 0, 1)
            last = skip_unchanged.last_alike(run=run, now=clock())
            progress(READING, 1, 1)
            if last and not (run.forced or output):
                if run.kind == Run.Kind.RECOMMEND:
                    refresh_listings(now=clock(), progress=progress)  # "this month" ends another day
                end(Run.Status.SUCCEEDED, unchanged_since=last)
                run.unchanged_since = last
                return skip_unchanged.in_full(last) | {"skipped": run.outcome}
            given = run.parameters | ({"output": output} if output else {})
            if run.kind == Run.Kind.RECLASSIFY:
                # What is asked for by force is done for books that have not changed, too.
                given |= {"afresh": run.forced or given["afresh"], "call_help": call_help, "clock": clock}
            service = _SERVICES[run.kind]
            return service(run, **given, now=clock(), progress=progress, finish=finish)
        except (RunCancelledError, KeyboardInterrupt):
            end(Run.Status.CANCELLED)
            raise
        except (RunLostError, *_DATABASE_IS_AWAY):
            # Another process's now; or the database went away, which is no bug, and nothing can be written:
            # without a heartbeat the run is taken up again.
            raise
        except LibraryError as error:
            end(Run.Status.FAILED, error=error.message)
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            end(Run.Status.ERRORED, error=words, traceback=traceback.format_exc())
            raise


def _pace(run: Run) -> Pace:
    """Return the pace by which a run's time is estimated: that of the newest one like it."""
    run.size = Book.objects.count()
    Run.objects.filter(pk=run.pk).update(size=run.size)
    done = Run.objects.filter(kind=run.kind, status=Run.Status.SUCCEEDED, unchanged_since=None)
    alike = [
        earlier
        for earlier in done.order_by("-finished_at").only("size", "timeline", "parameters_digest")[:_LATELY]
        if earlier.timeline and 1 / _ALIKE <= (run.size or 1) / (earlier.size or 1) <= _ALIKE
    ]
    alike.sort(key=lambda earlier: earlier.parameters_digest != run.parameters_digest)
    if not alike:
        return Pace(kind=run.kind)
    return Pace(kind=run.kind, earlier=alike[0].timeline, scale=(run.size or 1) / (alike[0].size or 1))
