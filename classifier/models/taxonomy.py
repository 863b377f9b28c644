"""Effects of category changes on suggestions."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, TaxonomyChange


class RelabelledBook(models.Model):
    """A book whose suggestions a category change relabelled, with the suggestions before and after.

    Both have the format of `Change.before`. Undoing the change restores them, unless the book has been
    classified again.
    """

    change = models.ForeignKey(
        TaxonomyChange, models.CASCADE, related_name="relabelled_books", verbose_name=_("category change")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    before = models.JSONField(_("suggestions before the change"))
    after = models.JSONField(_("suggestions after the change"))

    class Meta:
        verbose_name = _("book with changed suggestions")
        verbose_name_plural = _("books with changed suggestions")
        ordering = ["change", "book"]
        constraints = [models.UniqueConstraint(fields=["change", "book"], name="relabelled_one_per_change")]

    def __str__(self) -> str:
        return f"{self.change}: {self.book}"
