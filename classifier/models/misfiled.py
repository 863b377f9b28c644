"""Books that a person or an import filed and the model would file elsewhere."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category


class Misfiled(models.Model):
    """A book that is possibly misfiled: the model, without having been told its category, names another.

    What a person said about it is remembered for the category it is filed under: "it is right" is not asked
    again, whatever later versions say.
    """

    book = models.ForeignKey(Book, models.CASCADE, related_name="misfiled", verbose_name=_("book"))
    filed = models.ForeignKey(Category, models.CASCADE, related_name="+", verbose_name=_("filed under"))
    filed_probability = models.FloatField(_("probability of that"))
    category = models.ForeignKey(Category, models.CASCADE, related_name="+", verbose_name=_("model says"))
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
    dismissed_at = models.DateTimeField(_("said to be right at"), null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("said to be right by"),
    )

    class Meta:
        verbose_name = _("possibly misfiled book")
        verbose_name_plural = _("possibly misfiled books")
        ordering = ["-probability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["book", "filed"], name="misfiled_once_a_filing"),
            models.CheckConstraint(condition=~Q(category=F("filed")), name="misfiled_elsewhere"),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1)
                & Q(filed_probability__gte=0, filed_probability__lte=1),
                name="misfiled_probability_0_to_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.filed} → {self.category}"
