"""Loans: each checkout of a copy is a row of its own, kept after the return."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from library.catalogue.models import Branch, Copy
from library.people.models import Borrower

#: What a loan keeps of the rule it is made under.
LOAN_TERMS = ("renewals_allowed", "renewal_days", "fine_per_day", "grace_days", "fine_cap")


#: Stands where a borrower's card number would.
FORGOTTEN = pgettext_lazy("a borrower", "forgotten")


def all_or_none(*fields: str) -> Q:
    """Return the condition that the fields are all set or all null."""
    all_set, none_set = Q(), Q()
    for field in fields:
        all_set &= Q(**{f"{field}__isnull": False})
        none_set &= Q(**{f"{field}__isnull": True})
    return all_set | none_set


class Loan(models.Model):
    """One checkout of one copy by one borrower.

    The terms are those of the rule that held at the checkout, so that a change of the rules changes no loan
    already made. Loans told by a file or entered by hand have none.
    """

    copy = models.ForeignKey(Copy, models.PROTECT, related_name="loans", verbose_name=_("copy"))
    # Null once it is forgotten who it was.
    borrower = models.ForeignKey(
        Borrower, models.PROTECT, null=True, related_name="loans", verbose_name=_("borrower")
    )
    borrowed_at = models.DateTimeField(_("borrowed at"), db_index=True)
    due_at = models.DateTimeField(_("due at"))
    returned_at = models.DateTimeField(_("returned at"), null=True, blank=True)
    renewals = models.PositiveSmallIntegerField(_("renewals"), default=0)
    lost_at = models.DateTimeField(_("lost at"), null=True, blank=True)
    branch = models.ForeignKey(
        Branch, models.PROTECT, null=True, blank=True, related_name="loans", verbose_name=_("branch")
    )
    renewals_allowed = models.PositiveSmallIntegerField(
        _("renewals allowed"), null=True, blank=True, editable=False
    )
    renewal_days = models.PositiveSmallIntegerField(_("renewal days"), null=True, blank=True, editable=False)
    fine_per_day = models.DecimalField(
        _("fine a day"), max_digits=8, decimal_places=2, null=True, blank=True, editable=False
    )
    grace_days = models.PositiveSmallIntegerField(_("days of grace"), null=True, blank=True, editable=False)
    fine_cap = models.DecimalField(
        _("highest fine"), max_digits=8, decimal_places=2, null=True, blank=True, editable=False
    )

    #: Of a borrower of whom something is forgotten already: whether this loan was known before that. Only
    #: such loans count for pairs of titles, so that nobody is counted twice for one pair.
    in_pairs = models.BooleanField(_("counts for pairs"), default=False, db_default=False, editable=False)

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
            models.CheckConstraint(
                condition=Q(lost_at__isnull=True) | Q(lost_at__gte=F("borrowed_at")),
                name="loan_lost_after_borrowed",
                violation_error_message=_("A copy cannot be lost on loan before it was borrowed."),
            ),
            models.CheckConstraint(
                condition=all_or_none(*LOAN_TERMS),
                name="loan_terms_whole",
                violation_error_message=_("A loan has all of its terms or none."),
            ),
            models.CheckConstraint(
                condition=Q(borrower__isnull=False) | Q(returned_at__isnull=False),
                name="loan_open_has_borrower",
                violation_error_message=_("A loan that is out has a borrower."),
            ),
        ]
        indexes = [
            # Few of all loans are open, and these are what the desk asks for.
            models.Index(
                fields=["borrower"], condition=Q(returned_at__isnull=True), name="loan_open_borrower"
            ),
            models.Index(fields=["due_at"], condition=Q(returned_at__isnull=True), name="loan_open_due"),
            # What is to be forgotten is looked for every night, among what is left to forget.
            models.Index(
                fields=["returned_at"], condition=Q(borrower__isnull=False), name="loan_not_forgotten"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.copy} → {self.borrower or FORGOTTEN}"


class OverdueLoan(Loan):
    """The loans as the list of what is late shows them."""

    class Meta:
        proxy = True
        verbose_name = _("overdue loan")
        verbose_name_plural = _("overdue loans")
        ordering = ["due_at", "id"]
        default_permissions = ("view",)
