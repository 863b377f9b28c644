"""The rules of lending, and the days on which nobody can bring anything back."""

from django.db import models
from django.db.models import BigIntegerField, F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Branch, ItemType
from library.people.models import BorrowerCategory

#: No key of a row: stands for null where two nulls have to be the same.
NONE = Value(0)


def or_none(key: str) -> Coalesce:
    """Return a foreign key that is equal to another null one.

    ``nulls_distinct=False`` would do on PostgreSQL from 15 on and not at all on SQLite. By the field's name,
    not its column's: the check of a form puts values in for names alone, and would compare each row with
    itself.
    """
    return Coalesce(F(key), NONE, output_field=BigIntegerField())


class LoanPolicy(models.Model):
    """What is lent to whom and where, for how long, and what lateness costs; a key left empty means any."""

    branch = models.ForeignKey(
        Branch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("branch"),
        help_text=_("Where the copy is borrowed; empty: anywhere."),
    )
    borrower_category = models.ForeignKey(
        BorrowerCategory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("borrower category"),
        help_text=_("Empty: any borrower."),
    )
    item_type = models.ForeignKey(
        ItemType,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan_policies",
        verbose_name=_("item type"),
        help_text=_("Empty: any copy."),
    )
    loan_days = models.PositiveSmallIntegerField(_("loan days"), default=28)
    max_loans = models.PositiveSmallIntegerField(
        _("most loans"),
        default=20,
        help_text=_("Of this item type if the rule names one, else of all."),
    )
    renewals_allowed = models.PositiveSmallIntegerField(_("renewals allowed"), default=2)
    renewal_days = models.PositiveSmallIntegerField(_("renewal days"), default=28)
    holds_allowed = models.PositiveSmallIntegerField(_("holds allowed"), default=10)
    fine_per_day = models.DecimalField(_("fine a day"), max_digits=8, decimal_places=2, default=0)
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace"), default=0, help_text=_("Days overdue that cost nothing.")
    )
    fine_cap = models.DecimalField(
        _("highest fine"),
        max_digits=8,
        decimal_places=2,
        default=0,
        help_text=_("The most that one loan can cost."),
    )

    class Meta:
        verbose_name = _("loan policy")
        verbose_name_plural = _("loan policies")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                or_none("branch"),
                or_none("borrower_category"),
                or_none("item_type"),
                name="loan_policy_once",
                violation_error_message=_(
                    "There is a rule for this branch, borrower category and item type: change that one."
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
    """A day on which a branch, or the whole library, is closed: no loan falls due on it."""

    branch = models.ForeignKey(
        Branch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="closed_days",
        verbose_name=_("branch"),
        help_text=_("Empty: all branches."),
    )
    date = models.DateField(_("date"), db_index=True)

    class Meta:
        verbose_name = _("closed day")
        verbose_name_plural = _("closed days")
        ordering = ["date", "id"]
        constraints = [
            models.UniqueConstraint(
                or_none("branch"),
                F("date"),
                name="closed_day_once",
                violation_error_message=_("This day is entered already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.branch or '*'}"
