"""What taxonomy changes did to suggestions."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, TaxonomyChange


class FollowedBook(models.Model):
    """A book whose suggestions followed a taxonomy change: as they were, and as they were left.

    Both as `Change.before` keeps them. They come back when the change is undone, unless the book was
    classified again since.
    """

    change = models.ForeignKey(
        TaxonomyChange, models.CASCADE, related_name="followed", verbose_name=_("taxonomy change")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    before = models.JSONField(_("suggestions before"))
    after = models.JSONField(_("suggestions after"))

    class Meta:
        verbose_name = _("book that followed")
        verbose_name_plural = _("books that followed")
        ordering = ["change", "book"]
        constraints = [models.UniqueConstraint(fields=["change", "book"], name="followed_once_a_change")]

    def __str__(self) -> str:
        return f"{self.change}: {self.book}"
