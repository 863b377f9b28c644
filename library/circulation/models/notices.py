"""Notices to borrowers."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.circulation.models.holds import Hold
from library.circulation.models.loans import Loan
from library.people.models import Borrower


class Notice(models.Model):
    """A notice about one loan or hold on one occasion, sent once.

    It does not refer to the borrower; the loan or hold does. Anonymising these also anonymises the notice.
    """

    class Kind(models.TextChoices):
        DUE_SOON = "due_soon", _("due soon")
        OVERDUE_1 = "overdue_1", _("first overdue notice")
        OVERDUE_2 = "overdue_2", _("second overdue notice")
        OVERDUE_3 = "overdue_3", _("third overdue notice")
        HOLD_READY = "hold_ready", _("hold ready for pickup")
        HOLD_EXPIRED = "hold_expired", _("hold expired")

    class State(models.TextChoices):
        CLAIMED = "claimed", _("sending")
        SENT = "sent", _("sent")
        TO_PRINT = "to_print", _("to print")
        PRINTED = "printed", _("printed")
        DROPPED = "dropped", _("no longer needed")

    #: In the order in which a loan reaches them.
    OVERDUE = (Kind.OVERDUE_1, Kind.OVERDUE_2, Kind.OVERDUE_3)

    loan = models.ForeignKey(
        Loan, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("loan")
    )
    hold = models.ForeignKey(
        Hold, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("hold")
    )
    kind = models.CharField(_("type"), max_length=20, choices=Kind)
    occasion = models.DateTimeField(
        _("event time"),
        help_text=_(
            "The due date of the loan (each renewal counts separately), or the time when the "
            "hold became ready for pickup."
        ),
    )
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.CLAIMED)
    message_id = models.CharField(
        _("message ID"),
        max_length=255,
        db_index=True,
        help_text=_("Shared by all notices in the same e-mail or letter."),
    )
    claimed_at = models.DateTimeField(_("processing started at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    # A code of the mail server, never its message: that may repeat the e-mail address.
    problem = models.CharField(_("delivery error"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-claimed_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["loan", "kind", "occasion"], name="notice_once_per_loan"),
            models.UniqueConstraint(fields=["hold", "kind", "occasion"], name="notice_once_per_hold"),
            models.CheckConstraint(
                condition=Q(loan__isnull=False, hold__isnull=True) | Q(loan__isnull=True, hold__isnull=False),
                name="notice_loan_or_hold",
                violation_error_message=_("A notice must refer to either a loan or a hold."),
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
        """The recipient; None after anonymising."""
        about = self.loan or self.hold
        return about.borrower if about else None
