"""Registry of the figures by page."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy

from library.admin_site.widgets.charts import Chart
from library.analytics.figures import borrowers, collection, forecast, lists, overview, titles
from library.analytics.figures.query import StatisticsQuery, Table

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Builder = Callable[[StatisticsQuery], Chart | Table]


@dataclass(frozen=True)
class Page:
    """A statistics page with the functions that build its figures, by name."""

    title: "StrOrPromise"
    figures: dict[str, Builder] = field(default_factory=dict)
    #: Filters that affect this page.
    filters: tuple[str, ...] = ("start", "end", "branch", "category", "interval")


PAGES: dict[str, Page] = {
    "overview": Page(
        gettext_lazy("Overview"),
        {
            "loans": overview.over_time,
            "categories": overview.by_category,
            "branches": overview.by_branch,
            "item-types": overview.by_item_type,
            "borrower-categories": overview.by_borrower_category,
        },
    ),
    "titles": Page(
        gettext_lazy("Top and bottom titles"),
        {"most": titles.most, "least": titles.least, "never": titles.never},
        ("start", "end", "branch", "category"),
    ),
    "collection": Page(
        gettext_lazy("Collection use"),
        {
            "turnover": collection.turnover,
            "never-borrowed": collection.never_borrowed,
            "decades": collection.decades,
            "age-and-use": collection.age_and_use,
        },
        ("start", "end", "branch", "category"),
    ),
    "seasons": Page(
        gettext_lazy("Busy times"), {"seasons": overview.seasons}, ("start", "end", "branch", "category")
    ),
    "returns": Page(
        gettext_lazy("Returns"), {"late": overview.late_returns, "overdue": overview.overdue_now}
    ),
    "borrowers": Page(
        gettext_lazy("Borrower activity"),
        {"borrowers": borrowers.new_and_returning, "groups": borrowers.by_group},
        ("start", "end", "branch"),
    ),
    "forecast": Page(
        gettext_lazy("Demand forecast"),
        {"months": forecast.next_months, "backtest": forecast.backtest, "by-category": forecast.by_category},
        ("branch", "category"),
    ),
    "purchase": Page(
        gettext_lazy("Purchase suggestions"), {"purchase": lists.purchase}, ("branch", "category")
    ),
    "weeding": Page(gettext_lazy("Weeding candidates"), {"weeding": lists.weeding}, ("branch", "category")),
    "shelf": Page(gettext_lazy("Shelf list"), {"shelf": lists.shelf}, ("branch", "category")),
}
