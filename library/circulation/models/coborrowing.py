"""What is kept of forgotten loans: titles borrowed by the same people, and how many loans do not count."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book


class CoBorrowing(models.Model):
    """How many borrowers, all of them forgotten since, had both of two titles.

    There is a row only where so many different borrowers had the pair that it tells of none of them:
    ``library.circulation.services.coborrowing``.
    """

    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    other = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("other book"))
    count = models.PositiveIntegerField(_("forgotten borrowers"))

    class Meta:
        verbose_name = _("titles borrowed together")
        verbose_name_plural = _("titles borrowed together")
        ordering = ["book", "other"]
        # Nobody adds or changes one by hand, and no page shows them.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["book", "other"], name="co_borrowing_once"),
            models.CheckConstraint(condition=Q(book__lt=F("other")), name="co_borrowing_in_order"),
            models.CheckConstraint(condition=Q(count__gte=1), name="co_borrowing_of_someone"),
        ]

    def __str__(self) -> str:
        return f"{self.book} + {self.other}: {self.count}"


class LeftOutLoans(models.Model):
    """How many forgotten loans of a title were of borrowers who were left out of statistics.

    A number a title and no mark on the loan: where only one borrower is left out, marks would say when and
    where that borrower had each title.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="+", verbose_name=_("book")
    )
    count = models.PositiveIntegerField(_("forgotten loans"))

    class Meta:
        verbose_name = _("forgotten loans left out of statistics")
        verbose_name_plural = _("forgotten loans left out of statistics")
        ordering = ["book"]
        # Nobody adds or changes one by hand, and no page shows them.
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(count__gte=1), name="left_out_loans_of_someone"),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.count}"
