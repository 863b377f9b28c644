"""The life of a run: asked for, claimed by one process, and closed once.

Two processes never both win: each step is an UPDATE that must find its row as it was, or a constraint.
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
from classifier.services.runs.parameters import checked_parameters, digest_of

ATTEMPTS = 3
"""A worker that dies of the same run each time (no memory, say) must not be killed by it for ever."""


def open_run(
    *,
    kind: str,
    trigger: str,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    user: User | None = None,
    force: bool = False,
) -> tuple[Run, bool]:
    """Return the run that does what is asked, and whether it is a new one.

    Parameters
    ----------
    kind, trigger : str
        One of `Run.Kind` and of `Run.Trigger`.
    now : datetime
    parameters : mapping, optional
        See `checked_parameters`.
    user : user, optional
        Who asks.
    force : bool
        Do it even if nothing has changed since the last time.

    Raises
    ------
    SettingError
        If there is no such kind, or a parameter does not fit it.
    """
    whole = checked_parameters(kind=kind, given=parameters or {})
    digest = digest_of(parameters=whole)
    same = Run.objects.filter(kind=kind, parameters_digest=digest, status__in=Run.ACTIVE)
    while True:
        try:
            with transaction.atomic():
                fields = {"kind": kind, "trigger": trigger, "parameters": whole, "parameters_digest": digest}
                return Run.objects.create(**fields, asked_at=now, asked_by=user, forced=force), True
        except IntegrityError as error:
            if "asked_twice" not in str(error) and "parameters_digest" not in str(error):
                raise
            if force:
                same.filter(status=Run.Status.QUEUED).update(forced=True)
            if run := same.first():
                return run, False
            # It was closed in between; so ours is a new one.


def claim(*, run_id: int, now: datetime, task_id: str = "") -> Run | None:
    """Return the queued run as this process's own; None if it is not to be had.

    So a message that is delivered twice, or comes after the run was cancelled, does nothing. Nor does one
    that comes while another run of the kind is running: who ends that one sends the next.
    """
    try:
        with transaction.atomic():
            found = Run.objects.filter(pk=run_id, status=Run.Status.QUEUED).update(
                status=Run.Status.RUNNING,
                started_at=now,
                heartbeat_at=now,
                attempt=F("attempt") + 1,
                task_id=task_id,
                progress=0,
                phase="",
                seconds_left=None,
            )
    except IntegrityError:
        return None
    return Run.objects.get(pk=run_id) if found else None


@transaction.atomic
def open_claimed(**asked: Any) -> Run:
    """Open a run, see `open_run`, and claim it at once for this process.

    Raises
    ------
    AlreadyRunningError
        If one of the kind is running; nothing is left queued then.
    """
    run, is_new = open_run(**asked)
    claimed = claim(run_id=run.pk, now=asked["now"])
    if claimed is not None:
        return claimed
    if is_new:
        run.delete()
    other = Run.objects.filter(kind=asked["kind"], status=Run.Status.RUNNING).first()
    if other is None:  # it ended just now
        raise AlreadyRunningError(_("Another run of this kind has only just ended. Ask again."))
    raise AlreadyRunningError(
        _(
            "Run %(run)s (%(kind)s) is running since %(since)s, %(percent)s done. Wait for it, or cancel it "
            "on its page in the admin."
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
    """Say what became of a run that this process claimed, once.

    In the transaction of the results, where there is one: then both are there or neither.

    Raises
    ------
    RunLostError
        If the run is not this process's any more; the caller's transaction must not be committed.
    """
    if status == Run.Status.SUCCEEDED:
        fields["progress"] = 1
    finished = max(now, run.started_at or now)
    mine = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING, attempt=run.attempt)
    if not mine.update(status=status, finished_at=finished, phase="", seconds_left=None, **fields):
        raise RunLostError(
            _("Run %s was taken for dead and given to another process; this one's work is not kept.") % run.pk
        )


def request_cancel(*, run: Run, now: datetime) -> Run:
    """Cancel a queued run at once, and a running one at its next step.

    Raises
    ------
    RunOverError
        If it is over already.
    """
    queued = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED)
    running = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING)
    if not (
        queued.update(status=Run.Status.CANCELLED, finished_at=now, cancel_requested=True)
        or running.update(cancel_requested=True)
    ):
        raise RunOverError(_("Run %s is over already.") % run.pk, run=run.pk)
    run.refresh_from_db()
    return run


def reap(*, now: datetime) -> list[Run]:
    """Look after runs that nobody else looks after; return those whose task must be sent (again).

    A running one not heard of for ``RUN_LOST_SECONDS`` is queued again, or closed if that was its last
    attempt, if it was to be cancelled, or if a command ran it: nobody waits for that one any more. A queued
    one that was not claimed for ``RUN_RESEND_SECONDS`` has lost its message.
    """
    silent = now - timedelta(seconds=settings.RUN_LOST_SECONDS)
    for run in Run.objects.filter(status=Run.Status.RUNNING, heartbeat_at__lt=silent):
        _take_back(run, silent=silent, now=now)
    unsent = now - timedelta(seconds=settings.RUN_RESEND_SECONDS)
    return [run for run in waiting() if run.sent_at is None or run.sent_at < unsent]


def waiting(*, kind: str | None = None) -> list[Run]:
    """Return the queued runs that could be claimed now, those asked for first at the front."""
    busy = Run.objects.filter(kind=OuterRef("kind"), status=Run.Status.RUNNING)
    free = Run.objects.filter(~Exists(busy), status=Run.Status.QUEUED)
    return list((free.filter(kind=kind) if kind else free).order_by("asked_at", "pk"))


def note_sent(*, run: Run, task_id: str, now: datetime) -> bool:
    """Note that a queued run's task is about to be sent; False if the run is not queued any more."""
    queued = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED)
    return bool(queued.update(sent_at=now, task_id=task_id))


def note_unsent(*, run: Run, task_id: str) -> None:
    """Note that a task could not be sent: it need not be waited for until it counts as lost."""
    Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, task_id=task_id).update(sent_at=None)


def _take_back(run: Run, *, silent: datetime, now: datetime) -> None:
    still = Run.objects.filter(
        Q(heartbeat_at__lt=silent), pk=run.pk, status=Run.Status.RUNNING, attempt=run.attempt
    )
    over = {"finished_at": max(now, run.started_at or now), "phase": "", "seconds_left": None}
    if run.cancel_requested:
        still.update(status=Run.Status.CANCELLED, **over)
    elif run.trigger == Run.Trigger.COMMAND:
        error = _("The command that ran it ended without a word: it was killed, or the machine stopped.")
        still.update(status=Run.Status.ERRORED, error=error, **over)
    elif run.attempt >= ATTEMPTS:
        error = _(
            "It was cut off %s times: its worker died, or could not reach the database. Look into the "
            "worker's log; the machine may have too little memory."
        )
        still.update(status=Run.Status.ERRORED, error=error % run.attempt, **over)
    else:
        still.update(
            status=Run.Status.QUEUED, started_at=None, sent_at=None, heartbeat_at=None, phase="", progress=0,
            seconds_left=None,
        )  # fmt: skip
