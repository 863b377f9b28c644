"""Summary tables of circulation by day, so that no page has to count millions of events.

`library.analytics.services.refresh` fills them and can rebuild them at any time from `LoanEvent` and, for
holdings, from the catalogue. No table identifies a borrower, and none combines title, borrower category and
book category.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch, Category, ItemType
from library.people.models import BorrowerCategory


class Statistics(models.Model):
    """The single row with the time of the last refresh, which locks it while it writes.

    The permission to view this model is the permission to see all statistics.
    """

    #: All events written before this time are counted; null: nothing has been counted yet.
    refreshed_at = models.DateTimeField(_("last updated"), null=True)

    class Meta:
        verbose_name = _("statistics")
        verbose_name_plural = _("statistics")
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="statistics_only_one")]

    def __str__(self) -> str:
        return str(_("statistics"))


class CountedDay(models.Model):
    """Event numbers of a day when it was counted; a day whose numbers differ now is counted again."""

    day = models.DateField(_("day"), primary_key=True)
    events = models.PositiveIntegerField(_("events"))
    # Anonymisation may remove a borrower's category from events, and a loan may be deleted.
    with_category = models.PositiveIntegerField(_("events with a borrower category"))
    with_loan = models.PositiveIntegerField(_("events linked to a loan"))

    class Meta:
        verbose_name = _("daily event count")
        verbose_name_plural = _("daily event counts")
        default_permissions = ()

    def __str__(self) -> str:
        return self.day.isoformat()


class _BranchTotal(models.Model):
    # There are few branches: an index would not help.
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, related_name="+", verbose_name=_("branch"), db_index=False
    )

    class Meta:
        abstract = True
        default_permissions = ()


class _CategoryTotal(models.Model):
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, related_name="+", verbose_name=_("category"), db_index=False
    )

    class Meta:
        abstract = True
        default_permissions = ()


class DayCount(_BranchTotal):
    """Events of one day at one branch; subclasses add the grouping."""

    METRICS = ("checkouts", "renewals", "checkins", "late", "holds")

    day = models.DateField(_("day"))
    checkouts = models.PositiveIntegerField(_("checkouts"))
    renewals = models.PositiveIntegerField(_("renewals"))
    checkins = models.PositiveIntegerField(_("checkins"))
    late = models.PositiveIntegerField(_("late checkins"))
    holds = models.PositiveIntegerField(_("holds placed"))

    class Meta:
        abstract = True
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.checkouts}"


class CategoryDay(DayCount, _CategoryTotal):
    """Daily total by the books' category as of the last refresh."""

    class Meta(DayCount.Meta):
        verbose_name = _("daily total by category")
        verbose_name_plural = _("daily totals by category")
        indexes = [models.Index(fields=["day"], name="category_day_day")]


class CategoryMonth(_BranchTotal, _CategoryTotal):
    """Monthly total by category, for statistics over years."""

    month = models.DateField(_("month"))
    checkouts = models.PositiveIntegerField(_("checkouts"))

    class Meta:
        verbose_name = _("monthly total by category")
        verbose_name_plural = _("monthly totals by category")
        default_permissions = ()
        indexes = [models.Index(fields=["month"], name="category_month_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.checkouts}"


class ItemTypeDay(DayCount):
    """Daily total by the copies' item type at the time."""

    item_type = models.ForeignKey(
        ItemType, models.CASCADE, null=True, related_name="+", verbose_name=_("item type"), db_index=False
    )

    class Meta(DayCount.Meta):
        verbose_name = _("daily total by item type")
        verbose_name_plural = _("daily totals by item type")
        indexes = [models.Index(fields=["day"], name="item_type_day_day")]


class BorrowerCategoryDay(DayCount):
    """Daily total by the borrowers' category at the time, unless it was anonymised."""

    borrower_category = models.ForeignKey(
        BorrowerCategory,
        models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("borrower category"),
        db_index=False,
    )

    class Meta(DayCount.Meta):
        verbose_name = _("daily total by borrower category")
        verbose_name_plural = _("daily totals by borrower category")
        indexes = [models.Index(fields=["day"], name="borrower_category_day_day")]


class TitleUse(models.Model):
    """Lifetime use of a title; titles added after the last refresh have no row yet."""

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="use", verbose_name=_("book")
    )
    #: Category that its days were counted under; if the title moves, the refresh counts them again.
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("category"), db_index=False
    )
    checkouts = models.PositiveIntegerField(_("checkouts"))
    #: Null: never borrowed.
    last_checkout = models.DateField(_("last checkout"), null=True, db_index=True)

    class Meta:
        verbose_name = _("title usage record")
        verbose_name_plural = _("title usage records")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.book}: {self.checkouts}"


class HoldingCount(_BranchTotal, _CategoryTotal):
    """Holdings of a category and decade at a branch, without lost and withdrawn copies.

    A title with copies at two branches counts at both, so sums over branches are wrong. Use the rows without
    a branch for all copies together.
    """

    #: First year of the decade of publication.
    decade = models.SmallIntegerField(_("publication decade"), null=True)
    copies = models.PositiveIntegerField(_("copies"))
    titles = models.PositiveIntegerField(_("titles"))
    borrowed = models.PositiveIntegerField(_("titles borrowed at least once"))
    #: Borrowed at least once, but fewer than ``POPULARITY_MIN`` times.
    rarely_borrowed = models.PositiveIntegerField(_("rarely borrowed titles"))
    year_sum = models.BigIntegerField(_("sum of publication years"), null=True)

    class Meta:
        verbose_name = _("holdings count")
        verbose_name_plural = _("holdings counts")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.decade}: {self.titles}"


class BorrowerMonth(models.Model):
    """Borrowers of a month, counted before their loans are anonymised."""

    month = models.DateField(_("month"), primary_key=True)
    new = models.PositiveIntegerField(_("new borrowers"))
    returning = models.PositiveIntegerField(_("returning borrowers"))
    checkouts = models.PositiveIntegerField(_("checkouts"))
    #: Checkouts that were anonymised, or by borrowers excluded from statistics.
    unattributed = models.PositiveIntegerField(_("unattributed checkouts"))

    class Meta:
        verbose_name = _("monthly borrower count")
        verbose_name_plural = _("monthly borrower counts")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.new} + {self.returning}"


class ScheduledReport(models.Model):
    """A page of the statistics sent by e-mail every week or month."""

    class Page(models.TextChoices):
        OVERVIEW = "overview", _("Overview")
        TITLES = "titles", _("Top and bottom titles")
        COLLECTION = "collection", _("Collection use")
        RETURNS = "returns", _("Returns")
        BORROWERS = "borrowers", _("Borrower activity")
        FORECAST = "forecast", _("Demand forecast")
        PURCHASE = "purchase", _("Purchase suggestions")
        WEEDING = "weeding", _("Weeding candidates")

    class Frequency(models.TextChoices):
        WEEK = "week", _("week")
        MONTH = "month", _("month")

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        CHINESE = "zh-hans", "简体中文"

    page = models.CharField(_("report"), max_length=20, choices=Page)
    email = models.EmailField(_("email"))
    frequency = models.CharField(
        _("reporting period"),
        max_length=5,
        choices=Frequency,
        help_text=_("Sent at the end of each week or month."),
    )
    language = models.CharField(_("language"), max_length=7, choices=Language, default=Language.ENGLISH)
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("branch")
    )
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    #: First day of the last period sent; null: none yet.
    last_period_sent = models.DateField(_("last period sent"), null=True, editable=False)
    delivery_error = models.CharField(_("delivery error"), max_length=100, blank=True, editable=False)

    class Meta:
        verbose_name = _("scheduled report")
        verbose_name_plural = _("scheduled reports")
        ordering = ["email", "page", "pk"]

    def __str__(self) -> str:
        return f"{self.get_page_display()} → {self.email}"
