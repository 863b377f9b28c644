"""How much will be lent in the next months, and how well that would have been foretold before.

A series of months is taken apart into its seasons and a level, the level is followed by simple exponential
smoothing, and the seasons are put back. It is measured, on the library's own past, against two forecasts
that need no method: the same month a year before, and the last month. Shown is whichever was best.

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
#: Months of the past that a forecast needs: with less than two of each month, season and chance are one.
LEAST = 2 * YEAR
#: How quickly the level follows what is new; the one that fitted the past best is taken.
ALPHAS = (0.1, 0.2, 0.4, 0.6, 0.8)
#: Share of months that an interval should hold.
COVERAGE = 0.8
#: Of how many origins the errors of a backtest are, at most: three years of months.
ORIGINS = 36

Method = Callable[[Sequence[float], int], list[float]]
"""``method(past, months)``: the next months, given all months up to now."""


@dataclass(frozen=True)
class Score:
    """How far a method was off in the backtest.

    Attributes
    ----------
    method : str
        ``seasonal_level``, ``last_year`` or ``last_month``.
    error : float
        The mean absolute error, in loans a month.
    months : int
        Forecasts that were compared.
    """

    method: str
    error: float
    months: int


@dataclass(frozen=True)
class Forecast:
    """The next months.

    Attributes
    ----------
    method : str
        The one with the smallest error in the backtest.
    values, low, high : list of float
        One a month: what is expected, and between which bounds `COVERAGE` of such forecasts were right.
    scores : tuple of Score
        The smallest error first.
    held : float
        The share of months in the backtest that were within intervals made from the errors before them.
    """

    method: str
    values: list[float]
    low: list[float]
    high: list[float]
    scores: tuple[Score, ...]
    held: float | None


def last_month(past: Sequence[float], months: int) -> list[float]:
    """Return the last month's number for all months (naive)."""
    return [past[-1]] * months


def last_year(past: Sequence[float], months: int) -> list[float]:
    """Return the number of the same month a year before (seasonal naive); `YEAR` months are needed."""
    return [past[len(past) - YEAR + ahead % YEAR] for ahead in range(months)]


def seasonal_level(past: Sequence[float], months: int) -> list[float]:
    """Return the level as exponential smoothing has it, times the season of each month.

    Parameters
    ----------
    past : sequence of float
        `LEAST` months or more, the last `YEAR` of them counted from the end.
    months : int
    """
    seasons = _seasons(past)
    level_of = [value / seasons[(place - len(past)) % YEAR] for place, value in enumerate(past)]
    level = min((_smoothed(level_of, alpha) for alpha in ALPHAS), key=lambda found: found[1])[0]
    return [level * seasons[ahead % YEAR] for ahead in range(months)]


#: What is measured, the one first that wins where all are alike.
METHODS: dict[str, Method] = {
    "seasonal_level": seasonal_level,
    "last_year": last_year,
    "last_month": last_month,
}


def forecast(*, past: Sequence[float], months: int) -> Forecast | None:
    """Return the next months, by the method that would have been best.

    Parameters
    ----------
    past : sequence of float
        Whole months in order, without gaps, the last of them the last whole one.
    months : int
        How many to foretell.

    Returns
    -------
    Forecast or None
        None where the past is shorter than `LEAST` and one more month.
    """
    if len(past) <= LEAST:
        return None
    errors = {name: _backtest(method, past, months) for name, method in METHODS.items()}
    scores = [
        Score(name, fmean(abs(error) for of in found for error in of), sum(map(len, found)))
        for name, found in errors.items()
    ]
    best = min(scores, key=lambda score: score.error).method
    values = METHODS[best](past, months)
    widths = _widths(errors[best])
    low = [max(0.0, value - width) for value, width in zip(values, widths, strict=True)]
    high = [value + width for value, width in zip(values, widths, strict=True)]
    ordered = tuple(sorted(scores, key=lambda score: score.error))
    return Forecast(best, values, low, high, ordered, _share_held(errors[best]))


def _seasons(past: Sequence[float]) -> list[float]:
    """Return the index of each month of the year, that of the next month first; their mean is 1."""
    ratios: list[list[float]] = [[] for _ in range(YEAR)]
    for place in range(YEAR // 2, len(past) - YEAR // 2):
        around = past[place - YEAR // 2 : place + YEAR // 2 + 1]
        # A year's mean centred on the month: the months at both ends are the same one, and count half.
        trend = (sum(around) - (around[0] + around[-1]) / 2) / YEAR
        if trend > 0:
            ratios[(place - len(past)) % YEAR].append(past[place] / trend)
    seasons = [fmean(found) if found else 1.0 for found in ratios]
    mean = fmean(seasons)
    # A month in which nothing is ever lent must not be divided by.
    return [max(season / mean, 1e-6) for season in seasons] if mean > 0 else [1.0] * YEAR


def _smoothed(levels: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the last level and the mean squared error of foretelling each one by those before."""
    level = fmean(levels[:YEAR])
    squares = 0.0
    for value in levels:
        squares += (value - level) ** 2
        level += alpha * (value - level)
    return level, squares / len(levels)


def _backtest(method: Method, past: Sequence[float], months: int) -> list[list[float]]:
    """Return by months ahead the errors that a method would have made, oldest first."""
    errors: list[list[float]] = [[] for _ in range(months)]
    for origin in range(max(LEAST, len(past) - ORIGINS), len(past)):
        for ahead, value in enumerate(method(past[:origin], min(months, len(past) - origin))):
            errors[ahead].append(past[origin + ahead] - value)
    return errors


def _width(errors: Sequence[float]) -> float:
    """Return how far off so many errors were that `COVERAGE` of further ones should be within it."""
    sizes = sorted(abs(error) for error in errors)
    # The split-conformal quantile: one more than there are, as the next one counts too.
    return sizes[min(len(sizes), math.ceil(COVERAGE * (len(sizes) + 1))) - 1]


def _widths(errors: Sequence[Sequence[float]]) -> list[float]:
    """Return the width for each month ahead, never narrower than of a month before."""
    widths: list[float] = []
    for found in errors:
        known = _width(found) if found else 0.0
        widths.append(max([known, *widths[-1:]]))
    return widths


def _share_held(errors: Sequence[Sequence[float]]) -> float | None:
    """Return how many errors were within the width made from at least `YEAR` errors before, or None."""
    held = [
        abs(found[place]) <= _width(found[:place]) for found in errors for place in range(YEAR, len(found))
    ]
    return fmean(held) if held else None
