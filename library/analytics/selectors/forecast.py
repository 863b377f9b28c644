"""Demand forecast with a backtest.

A monthly series is decomposed into seasons and a level; simple exponential smoothing follows the level, and
the seasons are applied again. A backtest on the library's own past compares this method with two naive ones:
the same month of the previous year, and the latest month. The forecast uses the method with the smallest
error.

Plain Python: a web process loads no numpy, and a series is a few dozen numbers.

References
----------
Hyndman, R. J., Athanasopoulos, G. (2021). Forecasting: Principles and Practice, 3rd edition. OTexts. Sections
3.4 (classical decomposition), 5.2 (naive and seasonal naive), 5.10 (rolling forecasting origin), 8.1 (simple
exponential smoothing).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

YEAR = 12
#: Months of history that a forecast needs: with fewer than two of each month, season and chance look the
#: same.
MIN_MONTHS = 2 * YEAR
#: Candidate smoothing factors; the best fit to the past wins.
ALPHAS = (0.1, 0.2, 0.4, 0.6, 0.8)
#: Share of months that the interval should contain.
COVERAGE = 0.8
#: Most forecast origins in a backtest: three years of months.
MAX_ORIGINS = 36

Method = Callable[[Sequence[float], int], list[float]]
"""``method(past, months)``: the next months, given all months so far."""


@dataclass(frozen=True)
class Score:
    """Backtest result of a method.

    Attributes
    ----------
    method
        ``seasonal_level``, ``last_year`` or ``last_month``.
    error
        Mean absolute error, in checkouts per month.
    months
        Number of forecasts compared.
    """

    method: str
    error: float
    months: int


@dataclass(frozen=True)
class Forecast:
    """Forecast of the next months.

    Attributes
    ----------
    method
        The method with the smallest backtest error.
    values, low, high
        Expected checkouts for each month, and the bounds that should contain `COVERAGE` of the months.
    scores
        Smallest error first.
    achieved_coverage
        Share of backtest months within the interval computed from earlier errors; None with too few months.
    """

    method: str
    values: list[float]
    low: list[float]
    high: list[float]
    scores: tuple[Score, ...]
    achieved_coverage: float | None


def last_month(past: Sequence[float], months: int) -> list[float]:
    """Repeat the latest month (naive forecast)."""
    return [past[-1]] * months


def last_year(past: Sequence[float], months: int) -> list[float]:
    """Repeat the same month of the previous year (seasonal naive forecast); needs `YEAR` months."""
    return [past[len(past) - YEAR + ahead % YEAR] for ahead in range(months)]


def seasonal_level(past: Sequence[float], months: int) -> list[float]:
    """Forecast the exponentially smoothed level times the season of each month; needs `MIN_MONTHS` months."""
    seasons = _seasons(past)
    levels = [value / seasons[(place - len(past)) % YEAR] for place, value in enumerate(past)]
    level = min((_smooth(levels, alpha) for alpha in ALPHAS), key=lambda fit: fit[1])[0]
    return [level * seasons[ahead % YEAR] for ahead in range(months)]


#: Methods to compare; on a tie the first one wins.
METHODS: dict[str, Method] = {
    "seasonal_level": seasonal_level,
    "last_year": last_year,
    "last_month": last_month,
}


def forecast(*, past: Sequence[float], months: int) -> Forecast | None:
    """Forecast with the method that did best in the backtest.

    Parameters
    ----------
    past
        Whole months in order, without gaps, up to the latest one.
    months
        Months to forecast.

    Returns
    -------
    Forecast or None
        None if `past` has no more than `MIN_MONTHS` months.
    """
    if len(past) <= MIN_MONTHS:
        return None
    errors = {name: _backtest(method, past, months) for name, method in METHODS.items()}
    scores = [
        Score(name, fmean(abs(error) for ahead in by_ahead for error in ahead), sum(map(len, by_ahead)))
        for name, by_ahead in errors.items()
    ]
    best = min(scores, key=lambda score: score.error).method
    values = METHODS[best](past, months)
    widths = _widths(errors[best])
    low = [max(0.0, value - width) for value, width in zip(values, widths, strict=True)]
    high = [value + width for value, width in zip(values, widths, strict=True)]
    ordered = tuple(sorted(scores, key=lambda score: score.error))
    return Forecast(best, values, low, high, ordered, _achieved_coverage(errors[best]))


def _seasons(past: Sequence[float]) -> list[float]:
    """Return the seasonal index of each month, starting with the next one; their mean is 1."""
    ratios: list[list[float]] = [[] for _ in range(YEAR)]
    for place in range(YEAR // 2, len(past) - YEAR // 2):
        around = past[place - YEAR // 2 : place + YEAR // 2 + 1]
        # Centred yearly mean: both ends are the same month of the year, so each counts half.
        trend = (sum(around) - (around[0] + around[-1]) / 2) / YEAR
        if trend > 0:
            ratios[(place - len(past)) % YEAR].append(past[place] / trend)
    seasons = [fmean(month) if month else 1.0 for month in ratios]
    mean = fmean(seasons)
    # The floor prevents division by zero for a month that never has checkouts.
    return [max(season / mean, 1e-6) for season in seasons] if mean > 0 else [1.0] * YEAR


def _smooth(levels: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the last level and the mean squared one-step-ahead error."""
    level = fmean(levels[:YEAR])
    squares = 0.0
    for value in levels:
        squares += (value - level) ** 2
        level += alpha * (value - level)
    return level, squares / len(levels)


def _backtest(method: Method, past: Sequence[float], months: int) -> list[list[float]]:
    """Return the errors of a method by months ahead, oldest first."""
    errors: list[list[float]] = [[] for _ in range(months)]
    for origin in range(max(MIN_MONTHS, len(past) - MAX_ORIGINS), len(past)):
        for ahead, value in enumerate(method(past[:origin], min(months, len(past) - origin))):
            errors[ahead].append(past[origin + ahead] - value)
    return errors


def _width(errors: Sequence[float]) -> float:
    """Return the interval half-width that should contain `COVERAGE` of further errors."""
    sizes = sorted(abs(error) for error in errors)
    # Split-conformal quantile: the rank is out of n + 1, because the next error counts too.
    return sizes[min(len(sizes), math.ceil(COVERAGE * (len(sizes) + 1))) - 1]


def _widths(errors: Sequence[Sequence[float]]) -> list[float]:
    """Return the width for each month ahead, never narrower than for the month before."""
    widths: list[float] = []
    for ahead in errors:
        width = _width(ahead) if ahead else 0.0
        widths.append(max([width, *widths[-1:]]))
    return widths


def _achieved_coverage(errors: Sequence[Sequence[float]]) -> float | None:
    """Return the share of errors within the width from at least `YEAR` earlier errors, or None."""
    covered = [
        abs(ahead[place]) <= _width(ahead[:place]) for ahead in errors for place in range(YEAR, len(ahead))
    ]
    return fmean(covered) if covered else None
