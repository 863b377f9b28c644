"""The people who borrow."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Borrower(models.Model):
    """A person with a library card."""

    card_number = models.CharField(_("card number"), max_length=100, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("borrower")
        verbose_name_plural = _("borrowers")
        ordering = ["card_number"]

    def __str__(self) -> str:
        return self.card_number
