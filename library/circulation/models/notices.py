"""What borrowers are told: one row a thing told."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.circulation.models.holds import Hold
from library.circulation.models.loans import Loan
from library.people.models import Borrower


class Notice(models.Model):
    """One thing that a borrower is told once: of one loan or hold, on one occasion.

    It names no borrower: the loan and the hold do, and where they forget, the notice has forgotten too.
    """

    class Kind(models.TextChoices):
        DUE_SOON = "due_soon", _("due soon")
        OVERDUE_1 = "overdue_1", _("first overdue notice")
        OVERDUE_2 = "overdue_2", _("second overdue notice")
        OVERDUE_3 = "overdue_3", _("third overdue notice")
        HOLD_READY = "hold_ready", _("hold ready")
        HOLD_EXPIRED = "hold_expired", _("hold expired")

    class State(models.TextChoices):
        CLAIMED = "claimed", _("being sent")
        SENT = "sent", _("sent")
        TO_PRINT = "to_print", _("to print")
        PRINTED = "printed", _("printed")
        DROPPED = "dropped", _("no longer needed")

    #: In the order in which a loan comes to them.
    OVERDUE = (Kind.OVERDUE_1, Kind.OVERDUE_2, Kind.OVERDUE_3)

    loan = models.ForeignKey(
        Loan, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("loan")
    )
    hold = models.ForeignKey(
        Hold, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("hold")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    occasion = models.DateTimeField(
        _("occasion"),
        help_text=_(
            "When the loan is due, so that each renewal is one of its own; when the hold became ready."
        ),
    )
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.CLAIMED)
    message_id = models.CharField(
        _("message"),
        max_length=255,
        db_index=True,
        help_text=_("The same for all that stand in one e-mail or letter."),
    )
    claimed_at = models.DateTimeField(_("claimed at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    # A code of the mail server's, never its words: they repeat the address.
    problem = models.CharField(_("problem"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-claimed_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["loan", "kind", "occasion"], name="notice_once_a_loan"),
            models.UniqueConstraint(fields=["hold", "kind", "occasion"], name="notice_once_a_hold"),
            models.CheckConstraint(
                condition=Q(loan__isnull=False, hold__isnull=True) | Q(loan__isnull=True, hold__isnull=False),
                name="notice_loan_or_hold",
                violation_error_message=_("A notice is about a loan or about a hold."),
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "printed"]) | Q(sent_at__isnull=False),
                name="notice_sent_has_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "claimed_at"], name="notice_state")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.occasion:%Y-%m-%d}"

    @property
    def borrower(self) -> Borrower | None:
        """Who is told; None once forgotten."""
        about = self.loan or self.hold
        return about.borrower if about else None
