"""Where books lie on the map of the collection."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book


class MapPoint(models.Model):
    """A book's place on the map: those that the version sees as alike lie near each other.

    Only `classifier.services.collection_map` writes these rows, all of them anew each time.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, related_name="+", verbose_name=_("book"), primary_key=True
    )
    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="+", verbose_name=_("model version")
    )
    x = models.FloatField(_("across"))
    y = models.FloatField(_("up"))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("place on the map")
        verbose_name_plural = _("places on the map")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.book)
