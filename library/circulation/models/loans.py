"""Loans: one row per checkout of a copy, kept after the return."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from library.catalogue.models import Branch, Copy
from library.people.models import Borrower

#: Fields that a loan copies from its policy at checkout.
LOAN_TERMS = ("renewals_allowed", "renewal_days", "fine_per_day", "grace_days", "fine_cap")

#: Shown in place of the card number of an anonymised borrower.
ANONYMISED = pgettext_lazy("a borrower", "anonymised")


def all_or_none(*fields: str) -> Q:
    """Return the condition that the fields are all set or all null."""
    all_set, none_set = Q(), Q()
    for field in fields:
        all_set &= Q(**{f"{field}__isnull": False})
        none_set &= Q(**{f"{field}__isnull": True})
    return all_set | none_set


class Loan(models.Model):
    """A checkout of a copy by a borrower.

    The terms are copied from the policy at checkout, so that a change of the policy does not affect existing
    loans. Loans that were imported or entered by hand have no terms.
    """

    copy = models.ForeignKey(Copy, models.PROTECT, related_name="loans", verbose_name=_("copy"))
    # Null after anonymising.
    borrower = models.ForeignKey(
        Borrower, models.PROTECT, null=True, related_name="loans", verbose_name=_("borrower")
    )
    borrowed_at = models.DateTimeField(_("checked out at"), db_index=True)
    due_at = models.DateTimeField(_("due date"))
    returned_at = models.DateTimeField(_("returned at"), null=True, blank=True)
    renewals = models.PositiveSmallIntegerField(_("renewals"), default=0)
    lost_at = models.DateTimeField(_("lost at"), null=True, blank=True)
    branch = models.ForeignKey(
        Branch, models.PROTECT, null=True, blank=True, related_name="loans", verbose_name=_("branch")
    )
    renewals_allowed = models.PositiveSmallIntegerField(
        _("renewal limit"), null=True, blank=True, editable=False
    )
    renewal_days = models.PositiveSmallIntegerField(
        _("renewal period (days)"), null=True, blank=True, editable=False
    )
    fine_per_day = models.DecimalField(
        _("daily fine"), max_digits=8, decimal_places=2, null=True, blank=True, editable=False
    )
    grace_days = models.PositiveSmallIntegerField(
        _("grace period (days)"), null=True, blank=True, editable=False
    )
    fine_cap = models.DecimalField(
        _("maximum fine"), max_digits=8, decimal_places=2, null=True, blank=True, editable=False
    )

    #: Used once a borrower has anonymised loans: true if this loan existed before the first was anonymised.
    #: Only such loans count for co-borrowed pairs, so that nobody is counted twice for a pair.
    counts_in_pairs = models.BooleanField(
        _("counts toward co-borrowing"), default=False, db_default=False, editable=False
    )

    class Meta:
        verbose_name = _("loan")
        verbose_name_plural = _("loans")
        ordering = ["-borrowed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["copy"],
                condition=Q(returned_at__isnull=True),
                name="loan_one_open_per_copy",
                violation_error_message=_("This copy is already checked out."),
            ),
            models.UniqueConstraint(fields=["copy", "borrower", "borrowed_at"], name="loan_once"),
            models.CheckConstraint(
                condition=Q(returned_at__isnull=True) | Q(returned_at__gte=F("borrowed_at")),
                name="loan_returned_after_borrowed",
                violation_error_message=_("A copy cannot be returned before it was checked out."),
            ),
            models.CheckConstraint(
                condition=Q(due_at__gte=F("borrowed_at")),
                name="loan_due_after_borrowed",
                violation_error_message=_("The due date cannot be before the checkout date."),
            ),
            models.CheckConstraint(condition=Q(renewals__gte=0), name="loan_renewals_not_negative"),
            models.CheckConstraint(
                condition=Q(lost_at__isnull=True) | Q(lost_at__gte=F("borrowed_at")),
                name="loan_lost_after_borrowed",
                violation_error_message=_("A copy cannot be marked as lost before it was checked out."),
            ),
            models.CheckConstraint(
                condition=all_or_none(*LOAN_TERMS),
                name="loan_terms_whole",
                violation_error_message=_("A loan must have all of its policy terms or none."),
            ),
            models.CheckConstraint(
                condition=Q(borrower__isnull=False) | Q(returned_at__isnull=False),
                name="loan_open_has_borrower",
                violation_error_message=_("An open loan must have a borrower."),
            ),
        ]
        indexes = [
            # Few loans are open, and the desk queries only these.
            models.Index(
                fields=["borrower"], condition=Q(returned_at__isnull=True), name="loan_open_borrower"
            ),
            models.Index(fields=["due_at"], condition=Q(returned_at__isnull=True), name="loan_open_due"),
            # The nightly anonymising searches only loans that still have a borrower.
            models.Index(
                fields=["returned_at"], condition=Q(borrower__isnull=False), name="loan_not_anonymised"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.copy} → {self.borrower or ANONYMISED}"


class OverdueLoan(Loan):
    """Loans as shown in the list of overdue loans."""

    class Meta:
        proxy = True
        verbose_name = _("overdue loan")
        verbose_name_plural = _("overdue loans")
        ordering = ["due_at", "id"]
        default_permissions = ("view",)
