"""Categories of classification schemes."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from tree_queries.query import TreeQuerySet


class Category(models.Model):
    """A class of a classification scheme (DDC, 中图法, or the library's own).

    A retired category keeps its row and key, because other systems may have stored them. No book is filed
    under it. Only taxonomy changes (`library.catalogue.services.taxonomy.changes`) retire and reopen
    categories.
    """

    #: Filter that limits the choices of a foreign key.
    OPEN = {"retired_at__isnull": True}

    scheme = models.CharField(_("scheme"), max_length=40, default="local")
    notation = models.CharField(_("notation"), max_length=200)
    label_en = models.CharField(_("English label"), max_length=200, blank=True)
    label_zh = models.CharField(_("Chinese label"), max_length=200, blank=True)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        limit_choices_to=OPEN,
        verbose_name=_("parent"),
    )
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)
    #: Category its books were filed under instead; it may have been retired later.
    replaced_by = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("replaced by"),
    )

    objects = models.Manager()
    #: Recursive queries: ancestors and descendants. Not the default manager, which stays without tree
    #: columns.
    tree: ClassVar[Any] = TreeQuerySet.as_manager()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["scheme", "notation"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "notation"], name="category_scheme_notation"),
            models.CheckConstraint(
                condition=~models.Q(parent=models.F("id")),
                name="category_not_own_parent",
                violation_error_message=_("A category cannot be its own parent."),
            ),
            models.CheckConstraint(
                condition=models.Q(replaced_by=None)
                | (models.Q(retired_at__isnull=False) & ~models.Q(replaced_by=models.F("id"))),
                name="category_replaced_is_retired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notation} {self.label}".strip()

    @property
    def label(self) -> str:
        """Name in the active language, or in the other language if that one is blank."""
        if (get_language() or "").startswith("zh"):
            return self.label_zh or self.label_en
        return self.label_en or self.label_zh
