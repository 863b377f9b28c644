"""Points of the collection map."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book


class MapPoint(models.Model):
    """Position of a book on the map: books that the version encodes similarly are close together.

    Only `classifier.services.collection_map` writes these rows, all of them each time.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, related_name="+", verbose_name=_("book"), primary_key=True
    )
    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="+", verbose_name=_("model version")
    )
    x = models.FloatField(_("x coordinate"))
    y = models.FloatField(_("y coordinate"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("map point")
        verbose_name_plural = _("map points")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.book)
