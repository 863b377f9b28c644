"""Demand forecast and its accuracy."""

from collections import defaultdict
from datetime import date

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.admin_site.widgets.charts import Chart, Series, line_chart
from library.analytics.figures.query import StatisticsQuery, Table
from library.analytics.selectors.forecast import COVERAGE, MIN_MONTHS, Forecast, forecast
from library.analytics.selectors.history import monthly_checkouts
from library.analytics.selectors.scope import next_period, period_name
from library.analytics.selectors.tree import shown_under

#: Months ahead: half a year, about as long as an order or a term takes.
MONTHS = 6
#: Past months in the chart.
SHOWN_MONTHS = 36
_METHODS = {
    "seasonal_level": gettext_lazy("seasonal smoothing"),
    "last_year": gettext_lazy("same month last year"),
    "last_month": gettext_lazy("latest month"),
}


def next_months(query: StatisticsQuery) -> Chart:
    """Return the past checkouts and the forecast."""
    months, past = _total(query)
    result = _forecast(query)
    drawn = list(zip(months, past, strict=True))[-SHOWN_MONTHS:]
    ahead = _ahead(months, len(result.values)) if result else []
    gap: list[float | None] = [None] * len(drawn)
    series = [Series(_("checkouts"), [*(value for _month, value in drawn), *([None] * len(ahead))])]
    if result:
        expected = Series(
            _("expected"),
            [*gap, *_rounded(result.values)],
            low=[*gap, *_rounded(result.low)],
            high=[*gap, *_rounded(result.high)],
            dashed=True,
        )
        series.append(expected)
    starts = [month for month, _value in drawn] + ahead
    return line_chart(
        name="months",
        title=_("Past and forecast checkouts"),
        definition=_definition(result),
        labels=[period_name(start=start, interval="month") for start in starts],
        keys=[start.isoformat() for start in starts],
        label_name=_("Month"),
        series=series,
        unit=_("checkouts"),
    )


def backtest(query: StatisticsQuery) -> Table:
    """Return the backtest error of each method."""
    result = _forecast(query)
    _months, past = _total(query)
    mean = sum(past[-12:]) / 12 if len(past) >= 12 else 0
    rows = [
        [
            str(_METHODS[score.method]),
            number_format(round(score.error, 1), decimal_pos=1),
            number_format(round(100 * score.error / mean, 1), decimal_pos=1) if mean else "",
            score.months,
        ]
        for score in (result.scores if result else ())
    ]
    return Table(
        name="backtest",
        title=_("Forecast accuracy (backtest)"),
        definition=_(
            "At the end of each recent month, each method forecast up to %(months)s months ahead "
            "from earlier data only; the forecasts were compared with actual checkouts. The "
            "error is the mean absolute error in checkouts per month; the percentage is relative "
            "to the monthly average of the last year. The chart above uses the first method. "
            "Because it was selected on these results, it may perform slightly worse in future."
        )
        % {"months": MONTHS},
        header=[_("method"), _("mean absolute error"), "%", _("months compared")],
        rows=rows,
        total=len(rows),
    )


def by_category(query: StatisticsQuery) -> Table:
    """Return the forecast for each category."""
    under, shown = shown_under(below=query.scope.category)
    months, series = _history(query)
    totals: dict[int, list[int]] = defaultdict(lambda: [0] * len(months))
    for key, values in series.items():
        if key in under:
            subtotal = totals[under[key]]
            totals[under[key]] = [total + value for total, value in zip(subtotal, values, strict=True)]
    rows = []
    for category in shown:
        result = forecast(past=totals[category.pk], months=MONTHS) if category.pk in totals else None
        if result is None:
            continue
        errors = {score.method: score.error for score in result.scores}
        expected = (f"{round(value)} ({round(low)}–{round(high)})" for value, low, high in
                    zip(result.values[:3], result.low[:3], result.high[:3], strict=True))  # fmt: skip
        rows.append(
            [
                str(category),
                *expected,
                str(_METHODS[result.method]),
                *(number_format(round(errors[method], 1), decimal_pos=1) for method in _METHODS),
            ]
        )
    ahead = _ahead(months, 3) if months else []
    return Table(
        name="by-category",
        title=_("By category"),
        definition=_(
            "Forecast checkouts for the next three months, with the interval, using the best "
            "method for each category, and the mean absolute error of each method in the "
            "backtest. Categories are forecast separately, so their sum may differ from the "
            "total."
        ),
        header=[
            _("category"),
            *(period_name(start=start, interval="month") for start in ahead),
            _("method"),
            *(str(name) for name in _METHODS.values()),
        ],
        rows=rows,
        total=len(rows),
    )


def _definition(result: Forecast | None) -> str:
    if result is None:
        return _("Forecasts need at least %(least)s full months of loans.") % {"least": MIN_MONTHS + 1}
    text = _(
        "Forecast by the method with the smallest error in the backtest below (%(method)s). "
        "The interval should contain %(share)s %% of months."
    ) % {"method": _METHODS[result.method], "share": round(100 * COVERAGE)}
    if result.achieved_coverage is not None:
        text += " " + _("In the backtest, %(held)s %% of months fell within such intervals.") % {
            "held": round(100 * result.achieved_coverage)
        }
    return text


def _history(query: StatisticsQuery) -> tuple[list[date], dict[int | None, list[int]]]:
    # All three figures of the page share it.
    cache = query.scope.cache
    if "history" not in cache:
        cache["history"] = monthly_checkouts(scope=query.scope, now=query.now)
    return cache["history"]


def _total(query: StatisticsQuery) -> tuple[list[date], list[int]]:
    months, series = _history(query)
    return months, [sum(column) for column in zip(*series.values(), strict=True)]


def _forecast(query: StatisticsQuery) -> Forecast | None:
    cache = query.scope.cache
    if "forecast" not in cache:
        cache["forecast"] = forecast(past=_total(query)[1], months=MONTHS)
    return cache["forecast"]


def _ahead(months: list[date], number: int) -> list[date]:
    ahead = [next_period(start=months[-1], interval="month")]
    while len(ahead) < number:
        ahead.append(next_period(start=ahead[-1], interval="month"))
    return ahead


def _rounded(values: list[float]) -> list[float]:
    return [float(round(value)) for value in values]
