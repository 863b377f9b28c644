"""Holds and their order in the queue for a title."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch, Copy
from library.circulation.models.loans import ANONYMISED
from library.people.models import Borrower


class Hold(models.Model):
    """A borrower's place in the queue for a title.

    A waiting hold with a copy waits for that copy to arrive at the pickup branch.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        READY = "ready", _("ready for pickup")
        SUSPENDED = "suspended", _("suspended")
        CANCELLED = "cancelled", _("cancelled")
        FULFILLED = "fulfilled", _("fulfilled")
        EXPIRED = "expired", _("expired")

    #: Statuses of holds in the queue; holds with another status have ended.
    ACTIVE = (Status.WAITING, Status.READY, Status.SUSPENDED)

    book = models.ForeignKey(Book, models.PROTECT, related_name="holds", verbose_name=_("book"))
    # Null after anonymising.
    borrower = models.ForeignKey(
        Borrower, models.PROTECT, null=True, related_name="holds", verbose_name=_("borrower")
    )
    pickup_branch = models.ForeignKey(
        Branch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="holds",
        verbose_name=_("pickup branch"),
        help_text=_("Leave blank to pick up at the branch where the copy is checked in."),
    )
    placed_at = models.DateTimeField(_("placed at"))
    position = models.PositiveIntegerField(_("position"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.WAITING)
    copy = models.ForeignKey(
        Copy, models.PROTECT, null=True, blank=True, related_name="holds", verbose_name=_("copy")
    )
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    suspended_until = models.DateField(
        _("suspended until"),
        null=True,
        blank=True,
        help_text=_(
            "The hold becomes active again on this day. Leave blank to suspend it until it is "
            "resumed manually."
        ),
    )

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["book", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["borrower", "book"],
                condition=Q(status__in=["waiting", "ready", "suspended"]),
                name="hold_one_active_per_borrower",
                violation_error_message=_("This borrower already has a hold on this title."),
            ),
            models.UniqueConstraint(
                fields=["copy"],
                condition=Q(status__in=["waiting", "ready", "suspended"]),
                name="hold_one_active_per_copy",
                violation_error_message=_("This copy is already set aside for another hold."),
            ),
            models.CheckConstraint(
                condition=Q(status="ready", copy__isnull=False, ready_at__isnull=False) | ~Q(status="ready"),
                name="hold_ready_has_copy",
                violation_error_message=_("A hold that is ready for pickup must have a copy."),
            ),
            models.CheckConstraint(
                condition=~Q(status="suspended") | Q(copy__isnull=True),
                name="hold_suspended_has_no_copy",
                violation_error_message=_("A suspended hold cannot have a copy."),
            ),
            models.CheckConstraint(condition=Q(position__gte=1), name="hold_position_from_one"),
            models.CheckConstraint(
                condition=Q(borrower__isnull=False) | ~Q(status__in=["waiting", "ready", "suspended"]),
                name="hold_active_has_borrower",
                violation_error_message=_("A hold in the queue must have a borrower."),
            ),
        ]
        indexes = [
            models.Index(fields=["book", "status", "position"], name="hold_queue"),
            # For the contents of the hold shelf and holds to expire.
            models.Index(fields=["status", "ready_at"], name="hold_status_ready"),
        ]

    def __str__(self) -> str:
        return f"{self.book} → {self.borrower or ANONYMISED}"
