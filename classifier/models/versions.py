"""Versions of the model, and what was seen to be wrong with them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.messages import spoken
from classifier.models.runs import Run


class ModelVersion(models.Model):
    """A trained model: a directory of files under ``MODELS_DIR`` that never changes, and this row.

    Which one classifies is the row that is active, so changing it takes one transaction and no restart. Only
    `classifier.services.registry.versions`, `promotion` and `pruning` write these rows.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    name = models.CharField(_("name"), max_length=60, unique=True)
    created_at = models.DateTimeField(_("created"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CANDIDATE)
    pinned = models.BooleanField(_("pinned"), default=False, help_text=_("Its files are never deleted."))
    #: When its files were deleted by the rule; the figures stay.
    pruned_at = models.DateTimeField(_("files deleted at"), null=True, blank=True)
    activated_at = models.DateTimeField(_("last activated at"), null=True, blank=True)
    #: What it replaced when it was last promoted: a rollback goes there.
    previous = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("replaced")
    )
    #: What was active when it was trained, and it was compared with.
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("compared with")
    )
    trained_by = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("trained by")
    )
    fingerprint = models.CharField(_("fingerprint of the data"), max_length=64, blank=True)
    seed = models.BigIntegerField(_("seed"))
    config = models.JSONField(_("configuration"))
    metrics = models.JSONField(_("metrics"))
    #: What books looked like when it was trained: see `classifier.pipeline.monitoring.drift.profile`.
    profile = models.JSONField(_("books it was trained on"), default=dict, blank=True)
    #: See `classifier.pipeline.training.challenger`.
    comparison = models.JSONField(_("comparison"), default=dict, blank=True)
    #: What the gate says: ``passed``, and ``reasons`` as `classifier.messages`.
    verdict = models.JSONField(_("verdict"), default=dict, blank=True)

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        ordering = ["-created_at", "-id"]
        get_latest_by = "created_at"
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="active"), name="model_one_active_state"
            ),
            models.CheckConstraint(
                condition=Q(pruned_at__isnull=True) | (~Q(state="active") & Q(pinned=False)),
                name="model_active_and_pinned_are_kept",
            ),
            models.CheckConstraint(
                condition=~Q(state="candidate") | Q(activated_at__isnull=True),
                name="model_candidate_was_never_active",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        """Whether it is the one that classifies."""
        return self.state == self.State.ACTIVE

    @property
    def reasons(self) -> list[str]:
        """What the gate says of it, in the reader's language."""
        return [spoken(reason) for reason in self.verdict.get("reasons", [])]


class Alarm(models.Model):
    """Something that a person should look at; one row from when it was first seen until it is mended."""

    class Kind(models.TextChoices):
        MODEL = "model", _("model cannot be loaded")
        BOOKS = "books", _("books have changed")
        AGREEMENT = "agreement", _("reviewers disagree")
        CALIBRATION = "calibration", _("too sure or too unsure")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    about = models.CharField(_("about"), max_length=100)
    sentence = models.JSONField(_("sentence"))
    since = models.DateTimeField(_("since"))
    cleared_at = models.DateTimeField(_("cleared at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ["-since", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "about"], condition=Q(cleared_at__isnull=True), name="alarm_once_while_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}"

    @property
    def words(self) -> str:
        """What is wrong and what to do, in the reader's language."""
        return spoken(self.sentence)


class DriftReport(models.Model):
    """How far books and reviews have moved away from what the active version learned; one a week."""

    version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="drift_reports", verbose_name=_("model version")
    )
    made_at = models.DateTimeField(_("made at"))
    #: What `classifier.pipeline.monitoring.drift` gives.
    figures = models.JSONField(_("figures"))
    #: What was found, as `classifier.messages`: all of it, also what is no alarm.
    findings = models.JSONField(_("findings"), default=list)
    alarms = models.PositiveSmallIntegerField(_("alarms"), default=0)

    class Meta:
        verbose_name = _("drift report")
        verbose_name_plural = _("drift reports")
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"{self.version} {self.made_at:%Y-%m-%d}"
