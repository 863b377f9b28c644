"""Suggested categories."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category


class Suggestion(models.Model):
    """A category that the model suggests for a book; rank 1 is the best.

    A book's rows are its current suggestions: the next classification replaces them. If the model abstained,
    they are only guesses.
    """

    book = models.ForeignKey(Book, models.CASCADE, related_name="suggestions", verbose_name=_("book"))
    rank = models.PositiveSmallIntegerField(_("rank"))
    category = models.ForeignKey(Category, models.CASCADE, related_name="+", verbose_name=_("category"))
    probability = models.FloatField(_("probability"))
    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="suggestions", verbose_name=_("model version")
    )
    created_at = models.DateTimeField(_("created at"))
    abstained = models.BooleanField(
        _("low confidence"),
        default=False,
        help_text=_("Confidence is too low for the target precision, so this is not a suggestion."),
    )
    #: See `classifier.pipeline.evidence.Evidence.to_json`: categories by key, books by control number.
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)

    class Meta:
        verbose_name = _("suggestion")
        verbose_name_plural = _("suggestions")
        ordering = ["book", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["book", "rank"], name="suggestion_book_rank"),
            models.CheckConstraint(
                condition=Q(probability__gte=0) & Q(probability__lte=1), name="suggestion_probability_0_to_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.category} ({self.probability:.0%})"
