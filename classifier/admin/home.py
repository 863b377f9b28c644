"""The home page: what needs a librarian now, what the day is like, how the model does."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from classifier.models import Alarm, Misfiled, ModelVersion, ReviewItem, Run
from classifier.selectors.reviews import waiting_items
from library.admin_site.widgets.tiles import Tile, labelled
from library.circulation.admin.home import circulation_tiles

FAILED_DAYS = 7
"""A run that failed longer ago is looked for in the list; the schedule has tried again since."""
ASKS = "classifier.tasks.ask"


def with_tiles(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's home page what the person may see of it."""
    user: Any = request.user
    now = timezone.now()
    if user.has_perm("classifier.view_alarm"):
        context["alarms"] = Alarm.objects.filter(cleared_at=None)
    ours: list[tuple[tuple[str, ...], Callable[[datetime], Tile | None]]] = [
        (("classifier.add_review", "catalogue.change_book"), _reviews),
        (("classifier.view_misfiled",), _misfiled),
        (("classifier.view_run",), _runs),
        (("classifier.view_modelversion",), _model),
    ]
    tiles = [make(now) for needed, make in ours if user.has_perms(needed)]
    found = [tile for tile in tiles if tile] + circulation_tiles(user=user, now=now)
    # What is to be done stands first; the order is otherwise as above.
    context["tiles"] = sorted(found, key=lambda tile: ("alarm", "todo", "calm").index(tile.tone))
    return context


def _reviews(now: datetime) -> Tile:
    counts = {name: Count("pk", filter=Q(**{name: True})) for name in ReviewItem.REASONS}
    waiting = waiting_items().order_by().aggregate(books=Count("pk"), **counts)
    address = reverse("admin:classifier_review_next")
    return Tile(
        title=_("Waiting for review"),
        icon="fact_check",
        value=_number(waiting["books"]),
        url=address,
        lines=[_("Those whose answer brings most come first.")] if waiting["books"] else [],
        tone="todo" if waiting["books"] else "calm",
        more=[
            *(
                (labelled(words, _number(waiting[name])), f"{address}?reason={name}")
                for name, words in ReviewItem.REASONS.items()
                if waiting[name]
            ),
            (_("Alike ones together"), reverse("admin:classifier_review_groups")),
        ],
    )


def _misfiled(now: datetime) -> Tile:
    listed = Misfiled.objects.filter(dismissed_at=None).count()
    return Tile(
        title=_("Possibly misfiled"),
        icon="wrong_location",
        value=_number(listed),
        url=reverse("admin:classifier_misfiled_changelist"),
        tone="todo" if listed else "calm",
    )


def _runs(now: datetime) -> Tile:
    """Tell of runs that failed and have not succeeded since, and of those that go on."""
    wrong = (Run.Status.FAILED, Run.Status.ERRORED)
    recent = Run.objects.filter(
        Q(status__in=Run.ACTIVE) | Q(finished_at__gte=now - timedelta(days=FAILED_DAYS))
    ).defer("timeline", "traceback", "result", "parameters")
    latest: dict[str, Run] = {}
    running = []
    for run in recent.order_by("asked_at", "pk")[:200]:
        if run.status in Run.ACTIVE:
            running.append(run)
        elif run.status in (*wrong, Run.Status.SUCCEEDED):
            latest[run.kind] = run
    failed = [run for run in latest.values() if run.status in wrong]
    address = reverse("admin:classifier_run_changelist")
    return Tile(
        title=_("Failed runs"),
        icon="play_circle",
        value=_number(len(failed)),
        url=f"{address}?status__in={','.join(wrong)}" if failed else address,
        lines=[
            *(labelled(run, run.outcome) for run in failed),
            *(labelled(run, f"{run.get_status_display()} ({run.progress:.0%})") for run in running),
        ],
        tone="alarm" if failed else "calm",
    )


def _model(now: datetime) -> Tile:
    version = (
        ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
        .only("name", "created_at", "metrics")
        .first()
    )
    planned = next_training(now=now)
    coming = [_("next training: %s") % date_format(planned, "SHORT_DATETIME_FORMAT")] if planned else []
    if version is None:
        return Tile(
            title=_("Model"),
            icon="history",
            value=_("none yet"),
            url=reverse("admin:classifier_run_changelist"),
            lines=[_("Start a training in the list of runs."), *coming],
            tone="todo",
        )
    right = version.metrics.get("fused", {}).get("accuracy")
    lines = [_("version %s") % version.name]
    wanted = f"{settings.SUGGESTION_PRECISION:.2f}"
    given = version.metrics.get("selective", {}).get("at_precision", {}).get(wanted, {})
    if given.get("precision") is not None:
        shares = {"coverage": f"{given['coverage']:.0%}", "precision": f"{given['precision']:.0%}"}
        lines.append(_("answers %(coverage)s of books; of these answers %(precision)s are right") % shares)
    lines.append(
        _("trained: %s") % date_format(timezone.localtime(version.created_at), "SHORT_DATETIME_FORMAT")
    )
    return Tile(
        title=_("Model: right answers"),
        icon="history",
        value="-" if right is None else f"{right:.1%}",
        url=reverse("admin:classifier_modelversion_change", args=[version.pk]),
        lines=[*lines, *coming],
    )


def next_training(*, now: datetime) -> datetime | None:
    """Return when the schedule asks for a training next; None if it does not."""
    tasks = PeriodicTask.objects.filter(task=ASKS, enabled=True, one_off=False)
    times = []
    for task in tasks.select_related("crontab", "interval"):
        if json.loads(task.kwargs).get("kind") == Run.Kind.TRAIN and (task.crontab or task.interval):
            left = task.schedule.remaining_estimate(task.last_run_at or task.date_changed)
            # Counted from a moment after now: to the minute.
            then = timezone.localtime(now + max(left, timedelta(0)) + timedelta(seconds=30))
            times.append(then.replace(second=0, microsecond=0))
    return min(times, default=None)


def _number(value: float) -> str:
    return number_format(value, force_grouping=True)
