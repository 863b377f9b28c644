"""Jobs that were asked for."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """A job that was asked for, how far it is, and what became of it.

    The database itself sees to it that one run of a kind runs at a time, and that what is asked for twice
    with the same parameters is one run. Only `classifier.services.runs.lifecycle` writes these rows.
    """

    class Kind(models.TextChoices):
        TRAIN = "train", _("train")
        TUNE = "tune", _("tune")
        RECLASSIFY = "reclassify", _("reclassify")
        UNDO = "undo", _("undo a reclassification")
        RECOMMEND = "recommend", _("recommend")
        ORDER_REVIEWS = "order_reviews", _("order reviews")
        DRAW_MAP = "draw_map", _("draw the map")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("by hand")
        SCHEDULE = "schedule", _("schedule")
        API = "api", "API"
        COMMAND = "command", _("command line")

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")  # as a library may expect: too little data, a full disk
        ERRORED = "errored", _("errored")  # a bug, or a worker that died again and again
        CANCELLED = "cancelled", _("cancelled")

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    trigger = models.CharField(_("asked for by"), max_length=20, choices=Trigger)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.QUEUED)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    #: SHA-256 of the parameters: JSON cannot be compared for equality on every database.
    parameters_digest = models.CharField(_("digest of the parameters"), max_length=64)
    forced = models.BooleanField(_("even if nothing changed"), default=False)
    asked_at = models.DateTimeField(_("asked for at"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom"),
    )
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last heard of at"), null=True, blank=True)
    #: Which time it runs: what an earlier attempt's process still writes must not count.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    task_id = models.CharField(_("task"), max_length=50, blank=True)
    cancel_requested = models.BooleanField(_("to be cancelled"), default=False)
    progress = models.FloatField(_("progress"), default=0)
    phase = models.CharField(_("phase"), max_length=100, blank=True)
    seconds_left = models.FloatField(_("seconds left"), null=True, blank=True)
    #: Of what was read, its configuration and format: a run with the last one's has nothing to do.
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    unchanged_since = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("unchanged since")
    )
    size = models.PositiveIntegerField(_("books read"), null=True, blank=True)
    #: When each phase was how far: what later runs estimate their time by. See
    #: `classifier.services.runs.pace`.
    timeline = models.JSONField(_("timeline"), default=list, blank=True)
    result = models.JSONField(_("result"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(status="running"), name="run_one_running_per_kind"
            ),
            models.UniqueConstraint(
                fields=["kind", "parameters_digest"],
                condition=Q(status__in=["queued", "running"]),
                name="run_asked_twice_is_one",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0) & Q(progress__lte=1), name="run_progress_0_to_1"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True)
                | Q(started_at__isnull=True)
                | Q(finished_at__gte=F("started_at")),
                name="run_finished_after_started",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], finished_at__isnull=True)
                | (~Q(status__in=["queued", "running"]) & Q(finished_at__isnull=False)),
                name="run_closed_has_finished",
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(started_at__isnull=False, heartbeat_at__isnull=False),
                name="run_running_has_started",
            ),
            models.CheckConstraint(
                condition=(Q(status__in=["failed", "errored"]) & ~Q(error=""))
                | (~Q(status__in=["failed", "errored"]) & Q(error="")),
                name="run_error_has_words",
            ),
            models.CheckConstraint(
                condition=Q(status="errored") | Q(traceback=""), name="run_traceback_of_errors_only"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def outcome(self) -> str:
        """What became of it, in words; empty while nothing did."""
        if self.unchanged_since_id:
            return gettext("Nothing changed since run %(run)s.") % {"run": self.unchanged_since_id}
        return self.error

    @property
    def phase_label(self) -> str:
        """The phase in the reader's language."""
        return gettext(self.phase) if self.phase else ""  # gettext of nothing is the catalogue's header
