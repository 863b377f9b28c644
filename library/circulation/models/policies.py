"""Loan policies and closed days."""

from django.db import models
from django.db.models import BigIntegerField, F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Branch, ItemType
from library.people.models import BorrowerCategory

#: Replaces null in a unique constraint; never the key of a row.
NULL_KEY = Value(0)


def null_as_key(field: str) -> Coalesce:
    """Return a foreign key with null replaced, so that two nulls are equal in a unique constraint.

    ``nulls_distinct=False`` needs PostgreSQL 15 and does not work on SQLite. `field` is the name of the
    field, not of its column: form validation substitutes values for field names only, and would otherwise
    compare each row with itself.
    """
    return Coalesce(F(field), NULL_KEY, output_field=BigIntegerField())


class LoanPolicy(models.Model):
    """Loan periods, limits and fines by branch, borrower category and item type; a null key matches any."""

    branch = models.ForeignKey(
        Branch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("branch"),
        help_text=_("Branch where the copy is checked out. Leave blank for any branch."),
    )
    borrower_category = models.ForeignKey(
        BorrowerCategory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("borrower category"),
        help_text=_("Leave blank for any borrower."),
    )
    item_type = models.ForeignKey(
        ItemType,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("item type"),
        help_text=_("Leave blank for any copy."),
    )
    loan_days = models.PositiveSmallIntegerField(_("loan period (days)"), default=28)
    max_loans = models.PositiveSmallIntegerField(
        _("loan limit"),
        default=20,
        help_text=_("Counts this item type only if the rule names one; otherwise all loans."),
    )
    renewals_allowed = models.PositiveSmallIntegerField(_("renewal limit"), default=2)
    renewal_days = models.PositiveSmallIntegerField(_("renewal period (days)"), default=28)
    holds_allowed = models.PositiveSmallIntegerField(_("hold limit"), default=10)
    fine_per_day = models.DecimalField(_("daily fine"), max_digits=8, decimal_places=2, default=0)
    grace_days = models.PositiveSmallIntegerField(
        _("grace period (days)"), default=0, help_text=_("Number of days overdue that are not fined.")
    )
    fine_cap = models.DecimalField(
        _("maximum fine"),
        max_digits=8,
        decimal_places=2,
        default=0,
        help_text=_("The most that one loan can be fined."),
    )

    class Meta:
        verbose_name = _("loan policy")
        verbose_name_plural = _("loan policies")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                null_as_key("branch"),
                null_as_key("borrower_category"),
                null_as_key("item_type"),
                name="loan_policy_once",
                violation_error_message=_(
                    "A loan policy for this branch, borrower category and item type already exists. Edit "
                    "that policy instead."
                ),
            ),
            *(
                models.CheckConstraint(condition=Q(**{f"{field}__gte": 0}), name=f"loan_policy_{field}")
                for field in (
                    "loan_days",
                    "max_loans",
                    "renewals_allowed",
                    "renewal_days",
                    "holds_allowed",
                    "fine_per_day",
                    "grace_days",
                    "fine_cap",
                )
            ),
        ]

    def __str__(self) -> str:
        keys = (self.branch, self.borrower_category, self.item_type)
        return " · ".join("*" if key is None else str(key) for key in keys)


class ClosedDay(models.Model):
    """A day on which a branch or the whole library is closed; no loan falls due on it."""

    branch = models.ForeignKey(
        Branch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="closed_days",
        verbose_name=_("branch"),
        help_text=_("Leave blank for all branches."),
    )
    date = models.DateField(_("date"), db_index=True)

    class Meta:
        verbose_name = _("closed day")
        verbose_name_plural = _("closed days")
        ordering = ["date", "id"]
        constraints = [
            models.UniqueConstraint(
                null_as_key("branch"),
                F("date"),
                name="closed_day_once",
                violation_error_message=_("This day is already entered as a closed day."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.branch or '*'}"
