"""Forecasts: accuracy, intervals, and a backtest that never looks ahead."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.analytics.selectors import forecast as module
from library.analytics.selectors.forecast import (
    METHODS,
    MIN_MONTHS,
    forecast,
    last_month,
    last_year,
    seasonal_level,
)


def seasonal(months, *, noise=0.0, growth=0.0, seed=1):
    rng = random.Random(seed)
    return [
        (100 + growth * month) * (1 + 0.5 * math.sin(month * math.pi / 6)) + rng.gauss(0, noise)
        for month in range(months)
    ]


def test_forecast_is_exact_without_noise():
    whole = seasonal(60)
    assert seasonal_level(whole[:48], 12) == pytest.approx(whole[48:])
    result = forecast(past=whole[:48], months=6)
    assert result.values == pytest.approx(whole[48:54])
    assert max(high - low for low, high in zip(result.low, result.high, strict=True)) < 1e-6


def test_seasonal_level_wins_with_growth_and_noise():
    result = forecast(past=seasonal(72, noise=4, growth=2), months=3)
    errors = {score.method: score.error for score in result.scores}
    assert result.method == "seasonal_level"
    assert errors["seasonal_level"] < errors["last_year"] < errors["last_month"]


def test_naive_methods_win_on_matching_series():
    steps = [100.0 * (month // 9) for month in range(60)]
    assert forecast(past=steps, months=1).method == "last_month"
    rng = random.Random(3)
    erratic = [rng.choice([10.0, 200.0]) for _ in range(12)] * 5
    assert forecast(past=erratic, months=3).scores[0].error == 0


def test_interval_coverage_is_near_its_target():
    shares = [
        forecast(past=seasonal(84, noise=8, seed=seed), months=1).achieved_coverage for seed in range(12)
    ]
    assert 0.7 < sum(shares) / len(shares) < 0.92


@given(
    past=st.lists(st.integers(0, 500), min_size=MIN_MONTHS + 1, max_size=60),
    later=st.lists(st.integers(0, 500), min_size=1, max_size=3),
)
def test_later_months_do_not_change_backtest_errors(past, later):
    for method in METHODS.values():
        before = module._backtest(method, past, 2)
        after = module._backtest(method, past + later, 2)
        if len(past) + len(later) <= module.MAX_ORIGINS + MIN_MONTHS:
            assert after[0][: len(before[0])] == before[0]


@given(past=st.lists(st.integers(0, 500), max_size=70), months=st.integers(1, 8))
def test_forecast_is_plausible_or_none(past, months):
    result = forecast(past=past, months=months)
    assert (result is None) == (len(past) <= MIN_MONTHS)
    if result:
        for low, value, high in zip(result.low, result.values, result.high, strict=True):
            assert 0 <= low <= value <= high < math.inf
        assert sorted(score.method for score in result.scores) == sorted(METHODS)


def test_naive_methods_repeat_past_months():
    past = list(range(30))
    assert last_month(past, 2) == [29, 29]
    assert last_year(past, 13) == [*range(18, 30), 18]
