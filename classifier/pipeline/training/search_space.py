"""Search space of hyperparameter tuning.

Only settings that do not affect feature extraction: features are extracted once.
"""

import typing
from collections.abc import Collection, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from classifier.pipeline.config import Config

SearchSpace = Mapping[str, BaseDistribution]
"""Distribution of each setting, by ``part.name``."""

_NUMBERS: dict[str, tuple[float, float, bool]] = {
    # (low, high, logarithmic): an order of magnitude around every value that ever helped.
    "network.width": (32, 512, True),
    "network.dropout": (0.0, 0.8, False),
    "network.input_dropout": (0.0, 0.6, False),
    "network.modality_dropout": (0.0, 0.6, False),
    "network.label_smoothing": (0.0, 0.3, False),
    "network.learning_rate": (0.01, 0.5, True),
    "network.weight_decay": (0.0001, 1.0, True),
    "svm.C": (0.001, 100.0, True),
    "svm.balance": (0.0, 1.0, False),
}
_CHOICES = ("network.activation", "network.fusion")
"""All values that the type allows."""
_HIDDEN = ("", "64", "128", "256", "128,64", "256,128")
"""Up to two hidden layers."""


def search_space(config: Config, *, fixed: Collection[str] = ()) -> dict[str, BaseDistribution]:
    """Return the search space without the `fixed` ``part.name``; it contains every value of `config`."""
    space: dict[str, BaseDistribution] = {}
    start = {name: _value(config, name) for name in ("network.hidden", *_CHOICES, *_NUMBERS)}
    space["network.hidden"] = _categorical(start["network.hidden"], _HIDDEN)
    for name in _CHOICES:
        space[name] = _categorical(start[name], _allowed(config, name))
    for name, (low, high, logarithmic) in _NUMBERS.items():
        space[name] = _numeric(start[name], low, high, logarithmic)
    return {name: distribution for name, distribution in space.items() if name not in fixed}


def starting_point(config: Config, space: SearchSpace) -> dict[str, Any]:
    """Return the point of `config` in the space."""
    return {name: _value(config, name) for name in space}


def settings_at(point: Mapping[str, Any], config: Config) -> list[str]:
    """Return a point as ``part.name=value`` settings, without those equal to `config`.

    Numbers are rounded to two digits; finer differences cannot be measured.
    """
    settings = [
        f"{name}={value:.2g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in point.items()
    ]
    return [setting for setting in settings if config.with_settings([setting]) != config]


def _value(config: Config, name: str) -> Any:
    part, _, field = name.partition(".")
    value = getattr(getattr(config, part), field)
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _allowed(config: Config, name: str) -> tuple[str, ...]:
    part, _, field = name.partition(".")
    return typing.get_args(typing.get_type_hints(type(getattr(config, part)))[field])


def _categorical(start: str, choices: tuple[str, ...]) -> CategoricalDistribution:
    return CategoricalDistribution(choices if start in choices else (start, *choices))


def _numeric(start: float, low: float, high: float, logarithmic: bool) -> BaseDistribution:
    low, high = min(low, start), max(high, start)
    logarithmic = logarithmic and low > 0
    if isinstance(start, int):
        return IntDistribution(int(low), int(high), log=logarithmic)
    return FloatDistribution(low, high, log=logarithmic)
