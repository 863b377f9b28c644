"""Loans: each checkout of a copy is a row of its own, kept after the return."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Copy
from library.people.models import Borrower


class Loan(models.Model):
    """One checkout of one copy by one borrower."""

    copy = models.ForeignKey(Copy, models.PROTECT, related_name="loans", verbose_name=_("copy"))
    borrower = models.ForeignKey(Borrower, models.PROTECT, related_name="loans", verbose_name=_("borrower"))
    borrowed_at = models.DateTimeField(_("borrowed at"), db_index=True)
    due_at = models.DateTimeField(_("due at"))
    returned_at = models.DateTimeField(_("returned at"), null=True, blank=True)
    renewals = models.PositiveSmallIntegerField(_("renewals"), default=0)

    class Meta:
        verbose_name = _("loan")
        verbose_name_plural = _("loans")
        ordering = ["-borrowed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["copy"],
                condition=Q(returned_at__isnull=True),
                name="loan_one_open_per_copy",
                violation_error_message=_("This copy is already on loan."),
            ),
            models.UniqueConstraint(fields=["copy", "borrower", "borrowed_at"], name="loan_once"),
            models.CheckConstraint(
                condition=Q(returned_at__isnull=True) | Q(returned_at__gte=F("borrowed_at")),
                name="loan_returned_after_borrowed",
                violation_error_message=_("A copy cannot be returned before it was borrowed."),
            ),
            models.CheckConstraint(
                condition=Q(due_at__gte=F("borrowed_at")),
                name="loan_due_after_borrowed",
                violation_error_message=_("A loan cannot be due before it was made."),
            ),
            models.CheckConstraint(condition=Q(renewals__gte=0), name="loan_renewals_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.copy} → {self.borrower}"
