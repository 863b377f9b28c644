"""Changes of the classification scheme and the books they moved."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models.books import Book
from library.catalogue.models.categories import Category


class TaxonomyChange(models.Model):
    """A merge, split, retirement or move of categories, with everything needed to undo it."""

    class Kind(models.TextChoices):
        MERGE = "merge", _("Merge")
        SPLIT = "split", _("Split")
        RETIRE = "retire", _("Retire")
        MOVE = "move", _("Move")

    kind = models.CharField(_("type"), max_length=10, choices=Kind)
    #: The changed category; for a merge, the category that remains.
    category = models.ForeignKey(Category, models.PROTECT, related_name="+", verbose_name=_("category"))
    #: Source and target, by the names the categories had then.
    summary = models.CharField(_("change details"), max_length=1000, blank=True)
    #: The request, see `library.catalogue.services.taxonomy.requests`.
    parameters = models.JSONField(_("parameters"))
    #: The changed categories as they were: id, parent_id, retired_at, replaced_by_id.
    before = models.JSONField(_("categories before the change"), default=list)
    #: Keys of the categories that a split created or reopened.
    created_categories = models.JSONField(_("categories created"), default=list)
    books = models.PositiveIntegerField(_("books moved"), default=0)
    undecided = models.PositiveIntegerField(_("undecided books"), default=0)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    #: Books that undoing left in place because they had been refiled in between.
    kept = models.PositiveIntegerField(_("books not moved back"), default=0)

    class Meta:
        verbose_name = _("category change")
        verbose_name_plural = _("category changes")
        ordering = ["-id"]

    def __str__(self) -> str:
        return _("Category change %s") % self.pk


class RefiledBook(models.Model):
    """The category of a book before and after a taxonomy change."""

    change = models.ForeignKey(
        TaxonomyChange, models.CASCADE, related_name="refiled", verbose_name=_("category change")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    from_category = models.ForeignKey(
        Category, models.PROTECT, related_name="+", verbose_name=_("previous category")
    )
    from_source = models.CharField(_("previous category source"), max_length=10, choices=Book.CategorySource)
    to_category = models.ForeignKey(
        Category, models.PROTECT, null=True, related_name="+", verbose_name=_("new category")
    )
    to_source = models.CharField(_("category source"), max_length=10, choices=Book.CategorySource)

    class Meta:
        verbose_name = _("refiled book")
        verbose_name_plural = _("refiled books")
        ordering = ["change", "book"]
        constraints = [models.UniqueConstraint(fields=["change", "book"], name="refiled_once_a_change")]

    def __str__(self) -> str:
        return f"{self.book}: {self.from_category} → {self.to_category or '-'}"
