"""Counts kept of anonymised loans: co-borrowed titles, and loans excluded from statistics."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book


class CoBorrowing(models.Model):
    """Number of anonymised borrowers who had both of two titles.

    A row exists only for pairs that enough different borrowers had to protect their privacy; see
    ``library.circulation.services.coborrowing``.
    """

    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    other = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("other book"))
    count = models.PositiveIntegerField(_("anonymised borrowers"))

    class Meta:
        verbose_name = _("co-borrowed titles")
        verbose_name_plural = _("co-borrowed titles")
        ordering = ["book", "other"]
        # No page shows or edits these rows.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["book", "other"], name="co_borrowing_once"),
            models.CheckConstraint(condition=Q(book__lt=F("other")), name="co_borrowing_in_order"),
            models.CheckConstraint(condition=Q(count__gte=1), name="co_borrowing_count_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.book} + {self.other}: {self.count}"


class ExcludedLoanCount(models.Model):
    """Number of anonymised loans of a title whose borrowers were excluded from statistics.

    It is a count per title instead of a flag on the loan: if only one borrower is excluded, flags would
    reveal when and where that borrower had each title.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="+", verbose_name=_("book")
    )
    count = models.PositiveIntegerField(_("anonymised loans"))

    class Meta:
        verbose_name = _("anonymised loans excluded from statistics")
        verbose_name_plural = _("anonymised loans excluded from statistics")
        ordering = ["book"]
        # No page shows or edits these rows.
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(count__gte=1), name="excluded_loan_count_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.count}"
