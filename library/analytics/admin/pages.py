"""The pages of the statistics: which figures stand on each, as a page, on paper and as CSV."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.analytics.admin.asked import Asked, Listing
from library.analytics.admin.figures import borrowers, collection, foretold, lists, overview, titles
from library.analytics.admin.scope import ScopeForm
from library.analytics.selectors.loans import NotCountedError, freshness
from library.desk.charts import CHART_MEDIA, Chart
from library.tabular.streaming import csv_stream

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from library.analytics.admin.statistics import StatisticsAdmin

Build = Callable[[Asked], Chart | Listing]

#: What a page shows of a list; CSV has all of it.
SHOWN = 50


@dataclass(frozen=True)
class Page:
    """A page: what it is called, in the sidebar too, and what makes its figures, by their names."""

    title: "StrOrPromise"
    figures: dict[str, Build] = field(default_factory=dict)
    #: Of the filters, those that change something here.
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
        gettext_lazy("Most and least borrowed"),
        {"most": titles.most, "least": titles.least, "never": titles.never},
        ("start", "end", "branch", "category"),
    ),
    "collection": Page(
        gettext_lazy("Use of the collection"),
        {
            "turnover": collection.turnover,
            "never-borrowed": collection.never_borrowed,
            "decades": collection.decades,
            "age-and-use": collection.age_and_use,
        },
        ("start", "end", "branch", "category"),
    ),
    "seasons": Page(
        gettext_lazy("Seasons"), {"seasons": overview.seasons}, ("start", "end", "branch", "category")
    ),
    "returns": Page(
        gettext_lazy("Returns"), {"late": overview.late_returns, "overdue": overview.overdue_now}
    ),
    "borrowers": Page(
        gettext_lazy("New and returning borrowers"),
        {"borrowers": borrowers.new_and_returning, "groups": borrowers.by_group},
        ("start", "end", "branch"),
    ),
    "forecast": Page(
        gettext_lazy("Demand forecast"),
        {"months": foretold.next_months, "backtest": foretold.backtest, "by-category": foretold.by_category},
        ("branch", "category"),
    ),
    "purchase": Page(gettext_lazy("Purchase suggestions"), {"wanted": lists.wanted}, ("branch", "category")),
    "weeding": Page(gettext_lazy("Weeding candidates"), {"weeding": lists.weeding}, ("branch", "category")),
    "shelf": Page(gettext_lazy("Shelf list"), {"shelf": lists.shelf}, ("branch", "category")),
}


def statistics_page(
    model_admin: "StatisticsAdmin", request: HttpRequest, *, name: str, now: datetime | None = None
) -> HttpResponseBase:
    """Return a page of the statistics; the caller has asked whether the person may see them.

    ``?csv=`` with the name of a figure returns its numbers as CSV, ``?print=1`` the page for paper.

    Parameters
    ----------
    model_admin : StatisticsAdmin
    request : HttpRequest
    name : str
        One of `PAGES`.
    now : datetime, optional
    """
    page, at = PAGES[name], now or timezone.now()
    form = ScopeForm(request.GET, now=at)
    asked = Asked(scope=form.scope(), interval=form.interval_chosen(), now=at, limit=SHOWN)
    if wanted := request.GET.get("csv"):
        if wanted not in page.figures:
            raise Http404
        whole = page.figures[wanted](replace(asked, limit=None))
        return csv_stream(name=f"{name}-{wanted}.csv", records=whole.records)
    figures, remarks = [], []
    for figure, build in page.figures.items():
        query = request.GET.copy()
        query["csv"] = figure
        query.pop("print", None)
        try:
            figures.append(replace(build(asked), csv=f"{request.path}?{query.urlencode()}"))
        except NotCountedError as error:
            remarks.append(error.message)
    for_paper = request.GET.copy()
    for_paper["print"] = "1"
    on_paper = "print" in request.GET
    context = {
        **model_admin.admin_site.each_context(request),
        "title": page.title,
        "opts": model_admin.opts,
        "fields": [form[field] for field in page.filters],
        "is_filtered": bool(request.GET),
        "scope": asked.scope,
        "figures": figures,
        "shown": SHOWN,
        "remarks": sorted(set(remarks)),
        "fresh": freshness(),
        "media": model_admin.media + form.media + CHART_MEDIA,
        "chosen": [(form[field].label, _chosen(form, field)) for field in page.filters],
        "print_address": f"{request.path}?{for_paper.urlencode()}",
    }
    return render(request, "analytics/paper.html" if on_paper else "analytics/page.html", context)


def _chosen(form: ScopeForm, name: str) -> Any:
    value = form.cleaned_data.get(name)
    if name == "interval":
        return dict(form.fields["interval"].choices).get(value, "")  # type: ignore[attr-defined]
    return _("any") if value is None else value
