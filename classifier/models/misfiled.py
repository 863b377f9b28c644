"""Books that a person or an import filed and the model would file elsewhere."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category


class Misfiled(models.Model):
    """A possibly misfiled book: the model, trained without its label, predicts another category.

    A person's confirmation is stored for the category the book is filed under: it is not questioned again,
    whatever later versions predict.
    """

    book = models.ForeignKey(Book, models.CASCADE, related_name="misfiled", verbose_name=_("book"))
    filed = models.ForeignKey(Category, models.CASCADE, related_name="+", verbose_name=_("filed under"))
    filed_probability = models.FloatField(_("probability of the current category"))
    category = models.ForeignKey(
        Category, models.CASCADE, related_name="+", verbose_name=_("predicted category")
    )
    probability = models.FloatField(_("probability"))
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    model_version = models.ForeignKey(
        ModelVersion,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("model version"),
    )
    found_at = models.DateTimeField(_("listed at"))
    dismissed_at = models.DateTimeField(_("confirmed on"), null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("confirmed by"),
    )

    class Meta:
        verbose_name = _("possible misfile")
        verbose_name_plural = _("possible misfiles")
        ordering = ["-probability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["book", "filed"], name="misfiled_one_per_filing"),
            models.CheckConstraint(condition=~Q(category=F("filed")), name="misfiled_other_category"),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1)
                & Q(filed_probability__gte=0, filed_probability__lte=1),
                name="misfiled_probability_0_to_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.filed} → {self.category}"
