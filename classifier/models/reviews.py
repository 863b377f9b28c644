"""Reviews of suggestions, and the review queue."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category


class Review(models.Model):
    """Verdict of a librarian on a suggestion.

    Only `withdrawn_at` of an existing row changes. Only `classifier.services.review.verdicts` writes rows.
    """

    class Verdict(models.TextChoices):
        ACCEPT = "accept", _("Accepted")
        CORRECT = "correct", _("Corrected")
        REJECT = "reject", _("Rejected")
        UNKNOWN = "unknown", _("Skipped")

    book = models.ForeignKey(Book, models.CASCADE, related_name="reviews", verbose_name=_("book"))
    suggested = models.ForeignKey(
        Category, models.PROTECT, related_name="+", verbose_name=_("suggested category")
    )
    probability = models.FloatField(_("probability"))
    #: Of a rejected suggestion only, to restore it.
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    model_version = models.ForeignKey(
        ModelVersion, models.SET_NULL, null=True, related_name="+", verbose_name=_("model version")
    )
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("chosen category"),
    )
    #: The category before, which undo restores.
    category_before = models.ForeignKey(
        Category,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("previously filed under"),
    )
    source_before = models.CharField(
        _("previous category source"), max_length=10, choices=Book.CategorySource
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("reviewer")
    )
    created_at = models.DateTimeField(_("date and time"))
    seconds = models.PositiveIntegerField(_("review time (seconds)"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    withdrawn_at = models.DateTimeField(
        _("withdrawn at"),
        null=True,
        blank=True,
        help_text=_("When the review was undone, or its rejected category was allowed again."),
    )

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["book", "suggested"],
                condition=Q(verdict="reject", withdrawn_at__isnull=True),
                name="review_one_rejection",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["accept", "correct"], category__isnull=False)
                | Q(verdict__in=["reject", "unknown"], category__isnull=True),
                name="review_category_matches_verdict",
            ),
            models.CheckConstraint(
                condition=~Q(verdict="accept") | Q(category=models.F("suggested")),
                name="review_accept_is_suggested",
            ),
        ]
        indexes = [models.Index(fields=["reviewer", "-created_at"], name="review_by_reviewer")]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.book}"


class ReviewItem(models.Model):
    """A book in the review queue; position 1 comes first.

    `classifier.services.review.ordering` updates the queue after each batch.
    """

    #: Labels of the reasons, by the name of the field.
    REASONS = {
        "low_confidence": _("Low confidence"),
        "conflicting": _("Conflicting evidence"),
        "high_demand": _("High demand"),
        "unfamiliar": _("Unfamiliar"),
    }

    book = models.OneToOneField(
        Book, models.CASCADE, related_name="review_item", verbose_name=_("book"), primary_key=True
    )
    position = models.PositiveIntegerField(_("queue position"), db_index=True)
    benefit = models.FloatField(_("expected benefit"))
    low_confidence = models.BooleanField(REASONS["low_confidence"], default=False)
    conflicting = models.BooleanField(REASONS["conflicting"], default=False)
    high_demand = models.BooleanField(REASONS["high_demand"], default=False)
    unfamiliar = models.BooleanField(REASONS["unfamiliar"], default=False)
    #: Set by a review, so that undo restores the position.
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)
    ordered_at = models.DateTimeField(_("queue updated at"))
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("claimed by"),
    )
    locked_at = models.DateTimeField(_("since"), null=True, blank=True)
    locked_until = models.DateTimeField(_("claimed until"), null=True, blank=True)

    class Meta:
        verbose_name = _("book to review")
        verbose_name_plural = _("books to review")
        ordering = ["position", "book"]

    def __str__(self) -> str:
        return str(self.book)

    @property
    def reasons(self) -> list[str]:
        """Names of the reasons to review the book: see `REASONS`."""
        return [name for name in self.REASONS if getattr(self, name)]
