"""Runs: requested jobs."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """A requested job, its progress and its result.

    Constraints ensure that one run of a kind runs at a time, and that requests with the same parameters share
    a run. Only `classifier.services.runs.lifecycle` writes these rows.
    """

    class Kind(models.TextChoices):
        TRAIN = "train", _("Train model")
        TUNE = "tune", _("Tune settings")
        RECLASSIFY = "reclassify", _("Reclassify books")
        UNDO = "undo", _("Undo batch")
        RECOMMEND = "recommend", _("Update recommendations")
        ORDER_REVIEWS = "order_reviews", _("Refresh review queue")
        DRAW_MAP = "draw_map", _("Draw map")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("Manual")
        SCHEDULE = "schedule", _("Schedule")
        API = "api", "API"
        COMMAND = "command", _("Command line")

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")  # an expected problem: too few books, a full disk
        ERRORED = "errored", _("errored")  # a bug, or a worker that died repeatedly
        CANCELLED = "cancelled", _("cancelled")

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    kind = models.CharField(_("type"), max_length=20, choices=Kind)
    trigger = models.CharField(_("trigger"), max_length=20, choices=Trigger)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.QUEUED)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    #: SHA-256 of the parameters: JSON cannot be compared for equality on every database.
    parameters_digest = models.CharField(_("parameter digest"), max_length=64)
    forced = models.BooleanField(_("Run even if nothing changed"), default=False)
    requested_at = models.DateTimeField(_("queued at"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("user"),
    )
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)
    #: Number of the execution: writes by the process of an earlier attempt must not count.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    task_id = models.CharField(_("Celery task ID"), max_length=50, blank=True)
    cancel_requested = models.BooleanField(_("cancellation requested"), default=False)
    progress = models.FloatField(_("progress"), default=0)
    phase = models.CharField(_("phase"), max_length=100, blank=True)
    #: Of its input: a run with the fingerprint of the previous one is skipped.
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    unchanged_since = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("unchanged since job"),
    )
    result = models.JSONField(_("result"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(status="running"), name="run_one_running_per_kind"
            ),
            models.UniqueConstraint(
                fields=["kind", "parameters_digest"],
                condition=Q(status__in=["queued", "running"]),
                name="run_one_active_per_parameters",
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
                name="run_ended_has_finished_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(started_at__isnull=False, heartbeat_at__isnull=False),
                name="run_running_has_started",
            ),
            models.CheckConstraint(
                condition=(Q(status__in=["failed", "errored"]) & ~Q(error=""))
                | (~Q(status__in=["failed", "errored"]) & Q(error="")),
                name="run_failure_has_error",
            ),
            models.CheckConstraint(
                condition=Q(status="errored") | Q(traceback=""), name="run_traceback_only_if_errored"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def outcome(self) -> str:
        """Message about the outcome; empty for a run that is active or has succeeded."""
        if self.unchanged_since_id:
            return gettext("Nothing has changed since job %(run)s.") % {"run": self.unchanged_since_id}
        return self.error

    @property
    def phase_label(self) -> str:
        """The phase in the current language."""
        return gettext(self.phase) if self.phase else ""  # gettext("") is the header of the catalogue
