"""Home page: open tasks, today's circulation, and the state of the model."""

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

from classifier.admin.base import REVIEW_BOOKS
from classifier.models import Alert, Misfiled, ModelVersion, ReviewItem, Run
from classifier.selectors.reviews import waiting_items
from library.admin_site.widgets.tiles import Tile, labelled
from library.circulation.admin.home import circulation_tiles

FAILED_DAYS = 7
"""Older failures are not shown: the schedule has tried again since."""
REQUEST_TASK = "classifier.tasks.request_run"


def add_tiles(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the tiles that the user may see to the context of the admin's home page."""
    user: Any = request.user
    now = timezone.now()
    if user.has_perm("classifier.view_alert"):
        context["alerts"] = Alert.objects.filter(cleared_at=None)
    tile_functions: list[tuple[tuple[str, ...], Callable[[datetime], Tile]]] = [
        (REVIEW_BOOKS, _reviews_tile),
        (("classifier.view_misfiled",), _misfiled_tile),
        (("classifier.view_run",), _runs_tile),
        (("classifier.view_modelversion",), _model_tile),
    ]
    tiles = [tile(now) for permissions, tile in tile_functions if user.has_perms(permissions)]
    tiles += circulation_tiles(user=user, now=now)
    # Alerts and open tasks come first; the order is otherwise as above.
    context["tiles"] = sorted(tiles, key=lambda tile: ("alert", "todo", "calm").index(tile.tone))
    return context


def _reviews_tile(now: datetime) -> Tile:
    counts = {name: Count("pk", filter=Q(**{name: True})) for name in ReviewItem.REASONS}
    waiting = waiting_items().order_by().aggregate(books=Count("pk"), **counts)
    url = reverse("admin:classifier_review_next")
    return Tile(
        title=_("Waiting for review"),
        icon="fact_check",
        value=_number(waiting["books"]),
        url=url,
        lines=[_("Most useful first.")] if waiting["books"] else [],
        tone="todo" if waiting["books"] else "calm",
        more=[
            *(
                (f"{label} ({_number(waiting[name])})", f"{url}?reason={name}")
                for name, label in ReviewItem.REASONS.items()
                if waiting[name]
            ),
            (_("Review in bulk"), reverse("admin:classifier_review_bulk")),
        ],
    )


def _misfiled_tile(now: datetime) -> Tile:
    books = Misfiled.objects.filter(dismissed_at=None).count()
    return Tile(
        title=_("Possible misfiles"),
        icon="wrong_location",
        value=_number(books),
        url=reverse("admin:classifier_misfiled_changelist"),
        tone="todo" if books else "calm",
    )


def _runs_tile(now: datetime) -> Tile:
    """Show runs that failed and have not succeeded since, and active runs."""
    failures = (Run.Status.FAILED, Run.Status.ERRORED)
    recent = Run.objects.filter(
        Q(status__in=Run.ACTIVE) | Q(finished_at__gte=now - timedelta(days=FAILED_DAYS))
    ).defer("traceback", "result", "parameters")
    latest: dict[str, Run] = {}
    active = []
    for run in recent.order_by("requested_at", "pk")[:200]:
        if run.status in Run.ACTIVE:
            active.append(run)
        elif run.status in (*failures, Run.Status.SUCCEEDED):
            latest[run.kind] = run
    failed = [run for run in latest.values() if run.status in failures]
    url = reverse("admin:classifier_run_changelist")
    return Tile(
        title=_("Failed jobs"),
        icon="play_circle",
        value=_number(len(failed)),
        url=f"{url}?status__in={','.join(failures)}" if failed else url,
        lines=[
            *(labelled(run, run.outcome) for run in failed),
            *(labelled(run, f"{run.get_status_display()} ({run.progress:.0%})") for run in active),
        ],
        tone="alert" if failed else "calm",
    )


def _model_tile(now: datetime) -> Tile:
    version = (
        ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE)
        .only("name", "created_at", "metrics")
        .first()
    )
    next_time = next_training(now=now)
    schedule = [_("Next training: %s") % date_format(next_time, "SHORT_DATETIME_FORMAT")] if next_time else []
    if version is None:
        return Tile(
            title=_("Model"),
            icon="history",
            value=_("None yet"),
            url=reverse("admin:classifier_run_changelist"),
            lines=[_("Start training from the job list."), *schedule],
            tone="todo",
        )
    accuracy = version.metrics.get("fused", {}).get("accuracy")
    lines = [_("Version %s") % version.name]
    target = f"{settings.SUGGESTION_PRECISION:.2f}"
    selective = version.metrics.get("selective", {}).get("at_precision", {}).get(target, {})
    if selective.get("precision") is not None:
        shares = {"coverage": f"{selective['coverage']:.0%}", "precision": f"{selective['precision']:.0%}"}
        lines.append(
            _("Suggests a category for %(coverage)s of books; %(precision)s of suggestions are correct")
            % shares
        )
    lines.append(
        _("Trained: %s") % date_format(timezone.localtime(version.created_at), "SHORT_DATETIME_FORMAT")
    )
    return Tile(
        title=_("Model accuracy"),
        icon="history",
        value="-" if accuracy is None else f"{accuracy:.1%}",
        url=reverse("admin:classifier_modelversion_change", args=[version.pk]),
        lines=[*lines, *schedule],
    )


def next_training(*, now: datetime) -> datetime | None:
    """Return the time of the next scheduled training; None if none is scheduled."""
    tasks = PeriodicTask.objects.filter(task=REQUEST_TASK, enabled=True, one_off=False)
    times = []
    for task in tasks.select_related("crontab", "interval"):
        if json.loads(task.kwargs).get("kind") == Run.Kind.TRAIN and (task.crontab or task.interval):
            remaining = task.schedule.remaining_estimate(task.last_run_at or task.date_changed)
            # The estimate counts from slightly after `now`, so the time is rounded to the minute.
            time = timezone.localtime(now + max(remaining, timedelta(0)) + timedelta(seconds=30))
            times.append(time.replace(second=0, microsecond=0))
    return min(times, default=None)


def _number(value: float) -> str:
    return number_format(value, force_grouping=True)
