"""The forecast finds what is there to be found, says how far off it is, and looks at nothing to come."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.analytics.selectors import forecast as module
from library.analytics.selectors.forecast import (
    LEAST,
    METHODS,
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


def test_seasons_without_noise_are_foretold_exactly():
    whole = seasonal(60)
    assert seasonal_level(whole[:48], 12) == pytest.approx(whole[48:])
    found = forecast(past=whole[:48], months=6)
    assert found.values == pytest.approx(whole[48:54])
    assert max(high - low for low, high in zip(found.low, found.high, strict=True)) < 1e-6


def test_a_level_with_seasons_beats_last_years_month_where_there_is_growth_and_noise():
    found = forecast(past=seasonal(72, noise=4, growth=2), months=3)
    errors = {score.method: score.error for score in found.scores}
    assert found.method == "seasonal_level"
    assert errors["seasonal_level"] < errors["last_year"] < errors["last_month"]


def test_the_naive_methods_win_where_they_are_right():
    steps = [100.0 * (month // 9) for month in range(60)]
    assert forecast(past=steps, months=1).method == "last_month"
    rng = random.Random(3)
    erratic = [rng.choice([10.0, 200.0]) for _ in range(12)] * 5
    assert forecast(past=erratic, months=3).scores[0].error == 0


def test_intervals_hold_about_as_many_months_as_they_promise():
    held = [forecast(past=seasonal(84, noise=8, seed=seed), months=1).held for seed in range(12)]
    assert 0.7 < sum(held) / len(held) < 0.92


@given(
    past=st.lists(st.integers(0, 500), min_size=LEAST + 1, max_size=60),
    later=st.lists(st.integers(0, 500), min_size=1, max_size=3),
)
def test_a_backtest_asks_with_what_was_known_then(past, later):
    """What comes later changes no error that was found before."""
    for method in METHODS.values():
        before = module._backtest(method, past, 2)
        after = module._backtest(method, past + later, 2)
        if len(past) + len(later) <= module.ORIGINS + LEAST:
            assert after[0][: len(before[0])] == before[0]


@given(past=st.lists(st.integers(0, 500), max_size=70), months=st.integers(1, 8))
def test_any_past_gives_numbers_that_make_sense_or_none(past, months):
    found = forecast(past=past, months=months)
    assert (found is None) == (len(past) <= LEAST)
    if found:
        for low, value, high in zip(found.low, found.values, found.high, strict=True):
            assert 0 <= low <= value <= high < math.inf
        assert sorted(score.method for score in found.scores) == sorted(METHODS)


def test_the_naive_methods_are_what_they_are_called():
    past = list(range(30))
    assert last_month(past, 2) == [29, 29]
    assert last_year(past, 13) == [*range(18, 30), 18]
