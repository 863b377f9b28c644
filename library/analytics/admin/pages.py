"""A page of the statistics: on screen, on paper, and its figures as CSV."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import CHART_MEDIA
from library.analytics.admin.scope import ScopeForm
from library.analytics.figures.query import Asked
from library.analytics.figures.registry import PAGES
from library.analytics.selectors.loans import NotCountedError, freshness
from library.tabular.streaming import csv_stream

if TYPE_CHECKING:
    from library.analytics.admin.statistics import StatisticsAdmin

#: What a page shows of a list; CSV has all of it.
SHOWN = 50


def statistics_page(
    model_admin: "StatisticsAdmin", request: HttpRequest, *, name: str, now: datetime
) -> HttpResponseBase:
    """Return a page of the statistics; the caller has asked whether the person may see them.

    ``?csv=`` with the name of a figure returns its numbers as CSV, ``?print=1`` the page for paper.

    Parameters
    ----------
    model_admin : StatisticsAdmin
    request : HttpRequest
    name : str
        One of `PAGES`.
    now : datetime
    """
    page = PAGES[name]
    form = ScopeForm(request.GET, now=now)
    asked = Asked(scope=form.scope(), interval=form.interval_chosen(), now=now, limit=SHOWN)
    if wanted := request.GET.get("csv"):
        if wanted not in page.figures:
            raise Http404
        try:
            whole = page.figures[wanted](replace(asked, limit=None))
        except NotCountedError as error:
            return HttpResponseBadRequest(error.message, content_type="text/plain; charset=utf-8")
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
        "media": form.media + CHART_MEDIA,
        "chosen": [(form[field].label, _chosen(form, field)) for field in page.filters],
        "print_address": f"{request.path}?{for_paper.urlencode()}",
    }
    return render(request, "analytics/paper.html" if on_paper else "analytics/page.html", context)


def _chosen(form: ScopeForm, name: str) -> Any:
    value = form.cleaned_data.get(name)
    if name == "interval":
        return dict(form.fields["interval"].choices).get(value, "")  # type: ignore[attr-defined]
    return _("any") if value is None else value
