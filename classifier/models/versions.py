"""Model versions, alerts and drift reports."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from classifier.messages import render
from classifier.models.runs import Run


class ModelVersion(models.Model):
    """A trained model: this row, and a directory under ``MODELS_DIR`` that never changes.

    The active row classifies, so a promotion is one transaction without a restart. Only
    `classifier.services.registry.versions`, `promotion` and `pruning` write these rows.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        ACTIVE = "active", pgettext_lazy("model version", "active")
        RETIRED = "retired", _("retired")

    name = models.CharField(_("name"), max_length=60, unique=True)
    created_at = models.DateTimeField(_("created at"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CANDIDATE)
    pinned = models.BooleanField(
        _("pinned"), default=False, help_text=_("Files of a pinned version are never deleted.")
    )
    #: Metrics stay when the files are pruned.
    pruned_at = models.DateTimeField(_("files deleted at"), null=True, blank=True)
    activated_at = models.DateTimeField(_("last activated at"), null=True, blank=True)
    #: The version it replaced at its last promotion: the target of a rollback.
    previous = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("previously active version"),
    )
    #: The active version at its training, which it was compared with.
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("compared with")
    )
    trained_by = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("training job")
    )
    fingerprint = models.CharField(_("data fingerprint"), max_length=64, blank=True)
    seed = models.BigIntegerField(_("seed"))
    config = models.JSONField(_("configuration"))
    metrics = models.JSONField(_("metrics"))
    #: Profile of the training books: see `classifier.pipeline.monitoring.drift.profile_catalogue`.
    profile = models.JSONField(_("data profile at training"), default=dict, blank=True)
    #: See `classifier.pipeline.training.challenger`.
    comparison = models.JSONField(_("comparison"), default=dict, blank=True)
    #: Of the quality check: ``passed``, and ``reasons`` as `classifier.messages`.
    verdict = models.JSONField(_("verdict"), default=dict, blank=True)

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        ordering = ["-created_at", "-id"]
        get_latest_by = "created_at"
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="active"), name="version_one_active"),
            models.CheckConstraint(
                condition=Q(pruned_at__isnull=True) | (~Q(state="active") & Q(pinned=False)),
                name="version_active_or_pinned_kept",
            ),
            models.CheckConstraint(
                condition=~Q(state="candidate") | Q(activated_at__isnull=True),
                name="version_candidate_never_active",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        """Whether this version classifies."""
        return self.state == self.State.ACTIVE

    @property
    def reasons(self) -> list[str]:
        """Reasons of the quality check, in the current language."""
        return [render(reason) for reason in self.verdict.get("reasons", [])]


class Alert(models.Model):
    """A problem that needs a person; one row from its detection until it is fixed."""

    class Kind(models.TextChoices):
        MODEL = "model", _("Model cannot be loaded")
        BOOKS = "books", _("Data drift")
        AGREEMENT = "agreement", _("Reviewers disagree with suggestions")
        CALIBRATION = "calibration", _("Poor calibration")

    kind = models.CharField(_("type"), max_length=20, choices=Kind)
    about = models.CharField(_("related to"), max_length=100)
    message = models.JSONField(_("message"))
    created_at = models.DateTimeField(_("since"))
    cleared_at = models.DateTimeField(_("cleared at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "about"],
                condition=Q(cleared_at__isnull=True),
                name="alert_one_open_per_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}"

    @property
    def text(self) -> str:
        """What is wrong and what to do, in the current language."""
        return render(self.message)


class DriftReport(models.Model):
    """Weekly comparison of new books and reviews with what the active version was trained on."""

    version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="drift_reports", verbose_name=_("model version")
    )
    created_at = models.DateTimeField(_("created at"))
    #: See `classifier.services.training.drift.check_drift`.
    metrics = models.JSONField(_("figures"))
    #: As `classifier.messages`, including findings without an alert.
    findings = models.JSONField(_("findings"), default=list)
    alerts = models.PositiveSmallIntegerField(_("alerts"), default=0)

    class Meta:
        verbose_name = _("model health report")
        verbose_name_plural = _("model health reports")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.version} {self.created_at:%Y-%m-%d}"
