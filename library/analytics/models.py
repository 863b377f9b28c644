"""Summary tables: what happened at the desk, counted by day, so that no page counts millions of events.

They are made by `library.analytics.services.refresh` and can be made anew at any time, from `LoanEvent` and,
as to what is held, from the catalogue. None of them has a borrower, and no table has two of title, borrower's
category and book's category.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch, Category, ItemType
from library.people.models import BorrowerCategory


class Statistics(models.Model):
    """The one row that says how fresh the summary tables are; a refresh locks it while it writes.

    Who may view it may see the statistics.
    """

    #: All events written before are counted; null: nothing has been counted yet.
    refreshed_at = models.DateTimeField(_("counted up to"), null=True)

    class Meta:
        verbose_name = _("statistics")
        verbose_name_plural = _("statistics")
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="statistics_only_one")]

    def __str__(self) -> str:
        return str(_("statistics"))


class CountedDay(models.Model):
    """How many events a day had when it was counted: one that has other numbers now is counted anew."""

    day = models.DateField(_("day"), primary_key=True)
    events = models.PositiveIntegerField(_("events"))
    # A borrower's category may be cut from events, and a loan deleted.
    with_category = models.PositiveIntegerField(_("events with a borrower category"))
    with_loan = models.PositiveIntegerField(_("events with a loan"))

    class Meta:
        verbose_name = _("counted day")
        verbose_name_plural = _("counted days")
        default_permissions = ()

    def __str__(self) -> str:
        return self.day.isoformat()


class _AtBranch(models.Model):
    # Few branches: an index would help nobody.
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, related_name="+", verbose_name=_("branch"), db_index=False
    )

    class Meta:
        abstract = True
        default_permissions = ()


class _OfCategory(models.Model):
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, related_name="+", verbose_name=_("category"), db_index=False
    )

    class Meta:
        abstract = True
        default_permissions = ()


class DayCount(_AtBranch):
    """What happened on a day at a branch; subclasses say for what."""

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


class CategoryDay(DayCount, _OfCategory):
    """A day by the category that the books are filed under now, or were at the last refresh."""

    class Meta(DayCount.Meta):
        verbose_name = _("day by category")
        verbose_name_plural = _("days by category")
        indexes = [models.Index(fields=["day"], name="category_day_day")]


class CategoryMonth(_AtBranch, _OfCategory):
    """The days of a month by category put together, for what looks back over years."""

    month = models.DateField(_("month"))
    checkouts = models.PositiveIntegerField(_("checkouts"))

    class Meta:
        verbose_name = _("month by category")
        verbose_name_plural = _("months by category")
        default_permissions = ()
        indexes = [models.Index(fields=["month"], name="category_month_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.checkouts}"


class ItemTypeDay(DayCount):
    """A day by the item type that the copies had then."""

    item_type = models.ForeignKey(
        ItemType, models.CASCADE, null=True, related_name="+", verbose_name=_("item type"), db_index=False
    )

    class Meta(DayCount.Meta):
        verbose_name = _("day by item type")
        verbose_name_plural = _("days by item type")
        indexes = [models.Index(fields=["day"], name="item_type_day_day")]


class BorrowerCategoryDay(DayCount):
    """A day by the category that the borrowers had then, as far as it is not forgotten."""

    borrower_category = models.ForeignKey(
        BorrowerCategory,
        models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("borrower category"),
        db_index=False,
    )

    class Meta(DayCount.Meta):
        verbose_name = _("day by borrower category")
        verbose_name_plural = _("days by borrower category")
        indexes = [models.Index(fields=["day"], name="borrower_category_day_day")]


class TitleUse(models.Model):
    """A title's use since ever; a title that came after the last refresh has no row yet."""

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="use", verbose_name=_("book")
    )
    #: Under which its days were counted: a title filed elsewhere since has them counted anew.
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("category"), db_index=False
    )
    checkouts = models.PositiveIntegerField(_("checkouts"))
    #: Null: never.
    last_checkout = models.DateField(_("last checkout"), null=True, db_index=True)

    class Meta:
        verbose_name = _("use of a title")
        verbose_name_plural = _("use of titles")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.book}: {self.checkouts}"


class HoldingCount(_AtBranch, _OfCategory):
    """What is held of a category and decade at a branch, without lost and withdrawn copies.

    A title with copies at two branches is counted at both, so that no sum over branches is right: the rows
    without a branch are of all copies.
    """

    #: The first year of the ten in which the titles appeared.
    decade = models.SmallIntegerField(_("decade"), null=True)
    copies = models.PositiveIntegerField(_("copies"))
    titles = models.PositiveIntegerField(_("titles"))
    lent = models.PositiveIntegerField(_("titles ever lent"))
    #: Fewer than ``POPULARITY_MIN`` times.
    seldom_lent = models.PositiveIntegerField(_("titles seldom lent"))
    years = models.BigIntegerField(_("sum of years"), null=True)

    class Meta:
        verbose_name = _("count of holdings")
        verbose_name_plural = _("counts of holdings")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.decade}: {self.titles}"


class BorrowerMonth(models.Model):
    """How many borrowers came in a month, counted while it is known who they were."""

    month = models.DateField(_("month"), primary_key=True)
    new = models.PositiveIntegerField(_("new borrowers"))
    returning = models.PositiveIntegerField(_("returning borrowers"))
    checkouts = models.PositiveIntegerField(_("checkouts"))
    #: Of borrowers who were forgotten, or are left out of statistics.
    unknown = models.PositiveIntegerField(_("checkouts of unknown borrowers"))

    class Meta:
        verbose_name = _("borrowers of a month")
        verbose_name_plural = _("borrowers of months")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.new} + {self.returning}"


class ScheduledReport(models.Model):
    """A page of the statistics that somebody gets by e-mail, week by week or month by month."""

    class Page(models.TextChoices):
        OVERVIEW = "overview", _("Overview")
        TITLES = "titles", _("Most and least borrowed")
        COLLECTION = "collection", _("Use of the collection")
        RETURNS = "returns", _("Returns")
        BORROWERS = "borrowers", _("New and returning borrowers")
        FORECAST = "forecast", _("Demand forecast")
        PURCHASE = "purchase", _("Purchase suggestions")
        WEEDING = "weeding", _("Weeding candidates")

    class Every(models.TextChoices):
        WEEK = "week", _("week")
        MONTH = "month", _("month")

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        CHINESE = "zh-hans", "简体中文"

    page = models.CharField(_("report"), max_length=20, choices=Page)
    email = models.EmailField(_("e-mail"))
    every = models.CharField(
        _("every"), max_length=5, choices=Every, help_text=_("It is sent when a week or a month is over.")
    )
    language = models.CharField(_("language"), max_length=7, choices=Language, default=Language.ENGLISH)
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("branch")
    )
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    #: The first day of the period that was told of last; null: none was.
    sent_for = models.DateField(_("sent for"), null=True, editable=False)
    problem = models.CharField(_("problem"), max_length=100, blank=True, editable=False)

    class Meta:
        verbose_name = _("scheduled report")
        verbose_name_plural = _("scheduled reports")
        ordering = ["email", "page", "pk"]

    def __str__(self) -> str:
        return f"{self.get_page_display()} → {self.email}"
