"""Search space: contains the defaults, and every point is valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from classifier.pipeline.config import Config
from classifier.pipeline.training.search_space import search_space, settings_at, starting_point

OUTSIDE = Config().with_settings(
    [
        "network.width=7",
        "network.hidden=5,4,3",
        "network.weight_decay=0",
        "network.dropout=0.95",
        "svm.C=1000",
    ]
)
CONFIGS = st.sampled_from([Config(), OUTSIDE])


def values(distribution):
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return st.integers(distribution.low, distribution.high)
    return st.floats(distribution.low, distribution.high)


@st.composite
def points(draw):
    config = draw(CONFIGS)
    space = search_space(config)
    return config, {name: draw(values(distribution)) for name, distribution in space.items()}


def test_structure_regularisation_and_svm_are_searched():
    assert set(search_space(Config())) == {
        "network.width",
        "network.hidden",
        "network.activation",
        "network.fusion",
        "network.dropout",
        "network.input_dropout",
        "network.modality_dropout",
        "network.label_smoothing",
        "network.learning_rate",
        "network.weight_decay",
        "svm.C",
        "svm.balance",
    }


def test_all_choices_are_searched():
    space = search_space(Config())
    assert space["network.activation"].choices == ("gelu", "relu", "tanh", "silu")
    assert space["network.fusion"].choices == ("sum", "concat", "gated", "attention")
    assert {choice.count(",") + 1 for choice in space["network.hidden"].choices if choice} == {1, 2}


@pytest.mark.parametrize("config", [Config(), OUTSIDE])
def test_starting_point_changes_no_setting(config):
    space = search_space(config)
    start = starting_point(config, space)
    assert start.keys() == space.keys()
    for name, distribution in space.items():
        assert distribution._contains(distribution.to_internal_repr(start[name])), name
    assert settings_at(start, config) == []


def test_fixed_settings_are_not_searched():
    space = search_space(Config(), fixed=["svm.C", "network.hidden", "loans.factors"])
    assert set(search_space(Config())) - set(space) == {"svm.C", "network.hidden"}
    assert starting_point(Config(), space).keys() == space.keys()


@given(points())
def test_every_point_is_a_valid_configuration(drawn):
    config, point = drawn
    settings = settings_at(point, config)
    result = config.with_settings(settings)
    reached = starting_point(result, point)
    for name, value in point.items():
        assert reached[name] == (pytest.approx(value, rel=0.06) if isinstance(value, float) else value)


@given(points())
def test_settings_are_differences_from_the_start(drawn):
    config, point = drawn
    settings = settings_at(point, config)
    result = config.with_settings(settings)
    assert [setting.partition("=")[0] for setting in settings] == [
        name for name in point if starting_point(result, point)[name] != starting_point(config, point)[name]
    ]
