"""The people who borrow."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.people.audit_models import AuditEntry as AuditEntry  # where Django looks for models


class BorrowerCategory(models.Model):
    """Borrowers whom the library lends to by rules of their own: children, staff."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("borrower category")
        verbose_name_plural = _("borrower categories")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Borrower(models.Model):
    """A person with a library card."""

    class Retention(models.TextChoices):
        DEFAULT = "default", _("as the library does")
        KEEP = "keep", _("keep")
        FORGET = "forget", _("forget at return")

    card_number = models.CharField(_("card number"), max_length=100, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    category = models.ForeignKey(
        BorrowerCategory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="borrowers",
        verbose_name=_("category"),
    )
    blocked = models.CharField(
        _("blocked"),
        max_length=200,
        blank=True,
        help_text=_("Why this borrower may not borrow now; empty if the borrower may."),
    )
    retention = models.CharField(
        _("borrowing history"),
        max_length=10,
        choices=Retention,
        default=Retention.DEFAULT,
        db_default=Retention.DEFAULT,
        help_text=_("How long the library remembers what this borrower has read."),
    )

    class Meta:
        verbose_name = _("borrower")
        verbose_name_plural = _("borrowers")
        ordering = ["card_number"]

    def __str__(self) -> str:
        return self.card_number
