"""A statistics page on screen, for printing, and its figures as CSV."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import CHART_MEDIA
from library.analytics.admin.scope import ScopeForm
from library.analytics.figures.query import StatisticsQuery
from library.analytics.figures.registry import PAGES
from library.analytics.selectors.loans import UnsupportedGroupingError, freshness
from library.tabular.streaming import csv_stream

#: Rows of a table on the page; CSV has all of them.
MAX_ROWS = 50


def statistics_page(
    model_admin: ModelAdmin, request: HttpRequest, *, name: str, now: datetime
) -> HttpResponseBase:
    """Return a statistics page; the caller has checked the permission.

    ``?csv=`` with the name of a figure returns its data as CSV; ``?print=1`` returns the page for printing.

    Parameters
    ----------
    name
        Key of `PAGES`.
    """
    page = PAGES[name]
    form = ScopeForm(request.GET, now=now)
    query = StatisticsQuery(scope=form.scope(), interval=form.selected_interval(), now=now, limit=MAX_ROWS)
    if csv_name := request.GET.get("csv"):
        if csv_name not in page.figures:
            raise Http404
        try:
            figure = page.figures[csv_name](replace(query, limit=None))
        except UnsupportedGroupingError as error:
            return HttpResponseBadRequest(error.message, content_type="text/plain; charset=utf-8")
        return csv_stream(name=f"{name}-{csv_name}.csv", records=figure.records)
    figures, remarks = [], []
    for figure_name, build in page.figures.items():
        parameters = request.GET.copy()
        parameters["csv"] = figure_name
        parameters.pop("print", None)
        try:
            figures.append(replace(build(query), csv=f"{request.path}?{parameters.urlencode()}"))
        except UnsupportedGroupingError as error:
            remarks.append(error.message)
    print_parameters = request.GET.copy()
    print_parameters["print"] = "1"
    context = {
        **model_admin.admin_site.each_context(request),
        "title": page.title,
        "opts": model_admin.opts,
        "fields": [form[field] for field in page.filters],
        "is_filtered": bool(request.GET),
        "scope": query.scope,
        "figures": figures,
        "max_rows": MAX_ROWS,
        "remarks": sorted(set(remarks)),
        "freshness": freshness(),
        "media": form.media + CHART_MEDIA,
        "filter_values": [(form[field].label, _filter_value(form, field)) for field in page.filters],
        "print_url": f"{request.path}?{print_parameters.urlencode()}",
    }
    return render(
        request, "analytics/print.html" if "print" in request.GET else "analytics/page.html", context
    )


def _filter_value(form: ScopeForm, name: str) -> Any:
    value = form.cleaned_data.get(name)
    if name == "interval":
        return dict(form.fields["interval"].choices).get(value, "")  # type: ignore[attr-defined]
    return _("Any") if value is None else value
