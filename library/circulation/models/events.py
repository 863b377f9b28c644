"""What happened: one row an event, never changed; this is what statistics count."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch, Copy, ItemType
from library.circulation.models.loans import Loan
from library.people.models import Borrower, BorrowerCategory


class LoanEvent(models.Model):
    """One thing that happened at the desk.

    The database itself refuses to change or delete one (triggers of the migration ``0008_forgetting``), but
    for setting the borrower to null, and the loan when it is deleted: so a reader is forgotten and the count
    stays. Only together with the borrower may the category go too: one that few have tells who it was.
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
        HOLD_READY = "hold_ready", _("hold ready")
        HOLD_FULFILLED = "hold_fulfilled", _("hold fulfilled")
        HOLD_SUSPENDED = "hold_suspended", _("hold suspended")
        HOLD_RESUMED = "hold_resumed", _("hold resumed")
        HOLD_REORDERED = "hold_reordered", _("hold reordered")
        HOLD_EXPIRED = "hold_expired", _("hold expired")
        FINE_CHARGED = "fine_charged", _("fine charged")
        FINE_PAID = "fine_paid", _("fine paid")
        FINE_WAIVED = "fine_waived", _("fine waived")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    at = models.DateTimeField(_("at"))
    book = models.ForeignKey(Book, models.PROTECT, related_name="events", verbose_name=_("book"))
    copy = models.ForeignKey(Copy, models.PROTECT, null=True, related_name="events", verbose_name=_("copy"))
    # Few of each, so an index would help nobody and slow every loan down.
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
        verbose_name = _("loan event")
        verbose_name_plural = _("loan events")
        ordering = ["-at", "-id"]
        # With the book and the branch, so that titles are counted over a year from the index alone.
        indexes = [models.Index(fields=["kind", "at", "book", "branch"], name="loan_event_count")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"
