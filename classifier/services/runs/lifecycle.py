"""Life of a run: opened, claimed by one process, and closed once.

Of two processes one wins: each step is a conditional UPDATE or a database constraint.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from classifier.errors import AlreadyRunningError, RunLostError, RunOverError
from classifier.models import Run
from classifier.services.runs.parameters import complete_parameters, digest_of

MAX_ATTEMPTS = 3
"""A run that kills its worker each time (for lack of memory, say) must not do so for ever."""


def open_run(
    *,
    kind: str,
    trigger: str,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    user: User | None = None,
    force: bool = False,
) -> tuple[Run, bool]:
    """Return a queued or running run with these parameters, new if there is none, and whether it is new.

    Parameters
    ----------
    force
        Execute it even if nothing has changed since the last run.

    Raises
    ------
    SettingError
        If there is no such kind, or a parameter is invalid.
    """
    parameters = complete_parameters(kind=kind, parameters=parameters or {})
    digest = digest_of(parameters=parameters)
    same = Run.objects.filter(kind=kind, parameters_digest=digest, status__in=Run.ACTIVE)
    while True:
        try:
            with transaction.atomic():
                run = Run.objects.create(
                    kind=kind,
                    trigger=trigger,
                    parameters=parameters,
                    parameters_digest=digest,
                    requested_at=now,
                    requested_by=user,
                    forced=force,
                )
                return run, True
        except IntegrityError as error:
            if "run_one_active_per_parameters" not in str(error) and "parameters_digest" not in str(error):
                raise
            if force:
                same.filter(status=Run.Status.QUEUED).update(forced=True)
            if existing := same.first():
                return existing, False
            # It ended in between: the next attempt creates one.


def claim(*, run_id: int, now: datetime, task_id: str = "") -> Run | None:
    """Claim a queued run for this process; return None if that is not possible.

    A message that is delivered twice, or after the run was cancelled, therefore does nothing. Neither does
    one that comes while another run of the kind is running: the process that ends that one sends the next.
    """
    try:
        with transaction.atomic():
            claimed = Run.objects.filter(pk=run_id, status=Run.Status.QUEUED).update(
                status=Run.Status.RUNNING,
                started_at=now,
                heartbeat_at=now,
                attempt=F("attempt") + 1,
                task_id=task_id,
                progress=0,
                phase="",
            )
    except IntegrityError:
        return None
    return Run.objects.get(pk=run_id) if claimed else None


@transaction.atomic
def open_claimed(*, kind: str, now: datetime, **options: Any) -> Run:
    """Open and claim a run; if one of the kind is running, raises `AlreadyRunningError` and queues none."""
    run, is_new = open_run(kind=kind, now=now, **options)
    claimed = claim(run_id=run.pk, now=now)
    if claimed is not None:
        return claimed
    if is_new:
        run.delete()
    other = Run.objects.filter(kind=kind, status=Run.Status.RUNNING).first()
    if other is None:  # it ended just now
        raise AlreadyRunningError(_("Another job of this type has just ended. Try again."))
    raise AlreadyRunningError(
        _(
            "Job %(run)s (%(kind)s) has been running since %(since)s (%(percent)s done). Wait "
            "for it to finish, or cancel it on its page in the admin."
        )
        % {
            "run": other.pk,
            "kind": other.get_kind_display(),
            "since": f"{other.started_at:%Y-%m-%d %H:%M} UTC",
            "percent": f"{other.progress:.0%}",
        },
        run=other.pk,
    )


def close(*, run: Run, status: str, now: datetime, **fields: Any) -> None:
    """Record the outcome of a run that this process claimed, in the transaction of its results if any.

    Raises
    ------
    RunLostError
        If another process owns the run; the caller's transaction must not be committed.
    """
    if status == Run.Status.SUCCEEDED:
        fields["progress"] = 1
    finished = max(now, run.started_at or now)
    claimed = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING, attempt=run.attempt)
    if not claimed.update(status=status, finished_at=finished, phase="", **fields):
        raise RunLostError(
            _("Job %s stopped responding and was restarted elsewhere; this worker's results were discarded.")
            % run.pk
        )


def request_cancel(*, run: Run, now: datetime) -> Run:
    """Cancel a queued run at once, a running one at its next step; `RunOverError` if it has ended."""
    queued = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED)
    running = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING)
    if not (
        queued.update(status=Run.Status.CANCELLED, finished_at=now, cancel_requested=True)
        or running.update(cancel_requested=True)
    ):
        raise RunOverError(_("Job %s has already ended.") % run.pk, run=run.pk)
    run.refresh_from_db()
    return run


def reap(*, now: datetime) -> list[Run]:
    """Recover runs whose worker died or whose message was lost; return those whose task must be sent.

    A running run without a heartbeat for ``RUN_HEARTBEAT_TIMEOUT`` is queued again. It is closed instead
    after its last attempt, if it was to be cancelled, or if a command executed it, which nobody waits for any
    more. A queued run not claimed for ``RUN_REDISPATCH_AFTER`` has lost its message.
    """
    heartbeat_limit = now - timedelta(seconds=settings.RUN_HEARTBEAT_TIMEOUT)
    for run in Run.objects.filter(status=Run.Status.RUNNING, heartbeat_at__lt=heartbeat_limit):
        _recover(run, heartbeat_limit=heartbeat_limit, now=now)
    sent_limit = now - timedelta(seconds=settings.RUN_REDISPATCH_AFTER)
    return [run for run in waiting() if run.sent_at is None or run.sent_at < sent_limit]


def waiting(*, kind: str | None = None) -> list[Run]:
    """Return the queued runs that could be claimed now, the first requested first."""
    busy = Run.objects.filter(kind=OuterRef("kind"), status=Run.Status.RUNNING)
    free = Run.objects.filter(~Exists(busy), status=Run.Status.QUEUED)
    return list((free.filter(kind=kind) if kind else free).order_by("requested_at", "pk"))


def last_duration(*, kind: str) -> timedelta | None:
    """Return the duration of the last successful run of a kind that was not skipped, if any."""
    done = Run.objects.filter(kind=kind, status=Run.Status.SUCCEEDED, unchanged_since=None)
    last = done.only("started_at", "finished_at").order_by("-finished_at", "-pk").first()
    return last.finished_at - last.started_at if last and last.started_at and last.finished_at else None


def note_sent(*, run: Run, task_id: str, now: datetime) -> bool:
    """Note that a queued run's task is about to be sent; False if the run is no longer queued."""
    queued = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED)
    return bool(queued.update(sent_at=now, task_id=task_id))


def note_unsent(*, run: Run, task_id: str) -> None:
    """Note that a task could not be sent, so that it is sent again without waiting for `reap`'s limit."""
    Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, task_id=task_id).update(sent_at=None)


def _recover(run: Run, *, heartbeat_limit: datetime, now: datetime) -> None:
    lost = Run.objects.filter(
        Q(heartbeat_at__lt=heartbeat_limit), pk=run.pk, status=Run.Status.RUNNING, attempt=run.attempt
    )
    ended = {"finished_at": max(now, run.started_at or now), "phase": ""}
    if run.cancel_requested:
        lost.update(status=Run.Status.CANCELLED, **ended)
    elif run.trigger == Run.Trigger.COMMAND:
        error = _("The command stopped unexpectedly (killed, or the machine shut down).")
        lost.update(status=Run.Status.ERRORED, error=error, **ended)
    elif run.attempt >= MAX_ATTEMPTS:
        error = _(
            "The job was interrupted %s times: its worker stopped or could not reach the "
            "database. Check the worker log; the machine may be short of memory."
        )
        lost.update(status=Run.Status.ERRORED, error=error % run.attempt, **ended)
    else:
        lost.update(
            status=Run.Status.QUEUED, started_at=None, sent_at=None, heartbeat_at=None, phase="", progress=0,
        )  # fmt: skip
