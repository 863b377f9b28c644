"""Circulation events: append-only rows that statistics count."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch, Copy, ItemType
from library.circulation.models.loans import Loan
from library.people.models import Borrower, BorrowerCategory


class LoanEvent(models.Model):
    """An event at the circulation desk.

    Triggers in the initial migration make the database reject changes and deletions. The exceptions allow
    anonymising while keeping the counts: the borrower can be set to null, and so can the loan when it is
    deleted. The borrower category can be removed only together with the borrower; a rare category identifies
    the person.
    """

    class Kind(models.TextChoices):
        CHECKOUT = "checkout", _("checkout")
        CHECKIN = "checkin", _("checkin")
        RENEWAL = "renewal", _("renewal")
        LOST = "lost", _("lost")
        FOUND = "found", _("found")
        WITHDRAWN = "withdrawn", _("withdrawn")
        REINSTATED = "reinstated", _("reinstated")
        HOLD_PLACED = "hold_placed", _("hold placed")
        HOLD_CANCELLED = "hold_cancelled", _("hold cancelled")
        HOLD_READY = "hold_ready", _("hold ready for pickup")
        HOLD_FULFILLED = "hold_fulfilled", _("hold fulfilled")
        HOLD_SUSPENDED = "hold_suspended", _("hold suspended")
        HOLD_RESUMED = "hold_resumed", _("hold resumed")
        HOLD_REORDERED = "hold_reordered", _("hold reordered")
        HOLD_EXPIRED = "hold_expired", _("hold expired")
        FINE_CHARGED = "fine_charged", _("fine charged")
        FINE_PAID = "fine_paid", _("fine paid")
        FINE_WAIVED = "fine_waived", _("fine waived")

    kind = models.CharField(_("type"), max_length=20, choices=Kind)
    occurred_at = models.DateTimeField(_("date and time"))
    book = models.ForeignKey(Book, models.PROTECT, related_name="events", verbose_name=_("book"))
    copy = models.ForeignKey(Copy, models.PROTECT, null=True, related_name="events", verbose_name=_("copy"))
    # These have few values, so an index would not help and would slow every checkout down.
    branch = models.ForeignKey(
        Branch, models.PROTECT, null=True, related_name="+", verbose_name=_("branch"), db_index=False
    )
    item_type = models.ForeignKey(
        ItemType, models.PROTECT, null=True, related_name="+", verbose_name=_("item type"), db_index=False
    )
    borrower_category = models.ForeignKey(
        BorrowerCategory,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("borrower category"),
        db_index=False,
    )
    loan = models.ForeignKey(Loan, models.SET_NULL, null=True, related_name="events", verbose_name=_("loan"))
    borrower = models.ForeignKey(
        Borrower, models.SET_NULL, null=True, related_name="events", verbose_name=_("borrower")
    )
    amount = models.DecimalField(_("amount"), max_digits=8, decimal_places=2, null=True)

    class Meta:
        verbose_name = _("circulation event")
        verbose_name_plural = _("circulation events")
        ordering = ["-occurred_at", "-id"]
        # A covering index: titles are counted over a year without reading the table.
        indexes = [models.Index(fields=["kind", "occurred_at", "book", "branch"], name="loan_event_count")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.occurred_at:%Y-%m-%d %H:%M}"
