"""The ledger of fines: append-only, except for anonymising."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.circulation.models.loans import Loan
from library.people.models import Borrower


class FineEntry(models.Model):
    """A charge for a loan, a payment or a waiver. The balance is the charges less payments and waivers."""

    class Kind(models.TextChoices):
        CHARGE = "charge", _("charge")
        PAYMENT = "payment", _("payment")
        WAIVER = "waiver", _("waiver")

    loan = models.ForeignKey(Loan, models.PROTECT, null=True, related_name="fines", verbose_name=_("loan"))
    # Null after anonymising, which happens only when the loan has no balance due.
    borrower = models.ForeignKey(
        Borrower, models.PROTECT, null=True, related_name="fines", verbose_name=_("borrower")
    )
    kind = models.CharField(_("type"), max_length=10, choices=Kind)
    amount = models.DecimalField(_("amount"), max_digits=8, decimal_places=2)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("date and time"), db_index=True)

    class Meta:
        verbose_name = _("fine entry")
        verbose_name_plural = _("fine entries")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="fine_amount_above_zero"),
            models.CheckConstraint(
                condition=~Q(kind="waiver") | ~Q(reason=""),
                name="fine_waiver_has_reason",
                violation_error_message=_("A waiver requires a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"
