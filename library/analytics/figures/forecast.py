"""What will be asked for, and how well that was foretold before."""

from collections import defaultdict
from datetime import date

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.admin_site.widgets.charts import Chart, Series, line_chart
from library.analytics.figures.query import Asked, Listing
from library.analytics.selectors.forecast import COVERAGE, LEAST, Forecast, forecast
from library.analytics.selectors.history import monthly_checkouts
from library.analytics.selectors.scope import next_period, period_name
from library.analytics.selectors.tree import shown_under

#: How far ahead: half a year, which is as long as an order and a term take.
MONTHS = 6
#: Of the past, what is drawn.
DRAWN = 36
_METHODS = {
    "seasonal_level": gettext_lazy("level and seasons"),
    "last_year": gettext_lazy("same month a year before"),
    "last_month": gettext_lazy("last month"),
}


def next_months(asked: Asked) -> Chart:
    """Return the checkouts of the months that are over, and those that are expected."""
    months, past = _total(asked)
    found = _forecast(asked)
    drawn = list(zip(months, past, strict=True))[-DRAWN:]
    ahead = _ahead(months, len(found.values)) if found else []
    gap: list[float | None] = [None] * len(drawn)
    series = [Series(_("checkouts"), [*(value for _month, value in drawn), *([None] * len(ahead))])]
    if found:
        expected = Series(
            _("expected"),
            [*gap, *_whole(found.values)],
            low=[*gap, *_whole(found.low)],
            high=[*gap, *_whole(found.high)],
            dashed=True,
        )
        series.append(expected)
    starts = [month for month, _value in drawn] + ahead
    return line_chart(
        name="months",
        title=_("Checkouts in the next months"),
        definition=_definition(found),
        labels=[period_name(start=start, interval="month") for start in starts],
        keys=[start.isoformat() for start in starts],
        label_name=_("Month"),
        series=series,
        unit=_("checkouts"),
    )


def backtest(asked: Asked) -> Listing:
    """Return how far each method would have been off."""
    found = _forecast(asked)
    _months, past = _total(asked)
    mean = sum(past[-12:]) / 12 if len(past) >= 12 else 0
    rows = [
        [
            str(_METHODS[score.method]),
            number_format(round(score.error, 1), decimal_pos=1),
            number_format(round(100 * score.error / mean, 1), decimal_pos=1) if mean else "",
            score.months,
        ]
        for score in (found.scores if found else ())
    ]
    return Listing(
        name="backtest",
        title=_("How well it was foretold before"),
        definition=_(
            "Each method was asked at the end of each of the last months for up to %(months)s months after, "
            "knowing only what was before, and compared with what came. The error is the mean of how far it "
            "was off, in checkouts a month; the percentage is of the last year's mean month. The first is "
            "used above; as it was chosen by these figures, it may do a little worse from now on."
        )
        % {"months": MONTHS},
        header=[_("method"), _("mean absolute error"), "%", _("months compared")],
        rows=rows,
        total=len(rows),
    )


def by_category(asked: Asked) -> Listing:
    """Return what is expected of each category."""
    under, shown = shown_under(below=asked.scope.category)
    months, series = _history(asked)
    put: dict[int, list[int]] = defaultdict(lambda: [0] * len(months))
    for key, values in series.items():
        if key in under:
            into = put[under[key]]
            put[under[key]] = [total + value for total, value in zip(into, values, strict=True)]
    rows = []
    for category in shown:
        found = forecast(past=put[category.pk], months=MONTHS) if category.pk in put else None
        if found is None:
            continue
        errors = {score.method: score.error for score in found.scores}
        expected = (f"{round(value)} ({round(low)}–{round(high)})" for value, low, high in
                    zip(found.values[:3], found.low[:3], found.high[:3], strict=True))  # fmt: skip
        rows.append(
            [
                str(category),
                *expected,
                str(_METHODS[found.method]),
                *(number_format(round(errors[method], 1), decimal_pos=1) for method in _METHODS),
            ]
        )
    ahead = _ahead(months, 3) if months else []
    return Listing(
        name="by-category",
        title=_("By category"),
        definition=_(
            "Checkouts expected in the next three months, with the interval, by the method that was best for "
            "the category, and the mean absolute error of each method in the backtest. Each category is "
            "foretold by itself, so they need not add up to the whole."
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


def _definition(found: Forecast | None) -> str:
    if found is None:
        return _("At least %(least)s whole months must be counted before anything can be foretold.") % {
            "least": LEAST + 1
        }
    text = _(
        "Expected by the method that was best in the backtest below (%(method)s), with the interval in which "
        "%(share)s %% of months should lie."
    ) % {"method": _METHODS[found.method], "share": round(100 * COVERAGE)}
    if found.held is not None:
        text += " " + _("In the backtest, %(held)s %% of months lay within such intervals.") % {
            "held": round(100 * found.held)
        }
    return text


def _history(asked: Asked) -> tuple[list[date], dict[int | None, list[int]]]:
    # All three figures of the page are made of it.
    kept = asked.scope.kept
    if "history" not in kept:
        kept["history"] = monthly_checkouts(scope=asked.scope, now=asked.now)
    return kept["history"]


def _total(asked: Asked) -> tuple[list[date], list[int]]:
    months, series = _history(asked)
    return months, [sum(column) for column in zip(*series.values(), strict=True)]


def _forecast(asked: Asked) -> Forecast | None:
    kept = asked.scope.kept
    if "forecast" not in kept:
        kept["forecast"] = forecast(past=_total(asked)[1], months=MONTHS)
    return kept["forecast"]


def _ahead(months: list[date], number: int) -> list[date]:
    found = [next_period(start=months[-1], interval="month")]
    while len(found) < number:
        found.append(next_period(start=found[-1], interval="month"))
    return found


def _whole(values: list[float]) -> list[float]:
    return [float(round(value)) for value in values]
