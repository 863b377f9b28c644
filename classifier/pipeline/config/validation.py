"""Validation of the configuration."""

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

from classifier.pipeline.errors import ConfigError

if TYPE_CHECKING:
    from classifier.pipeline.config import Config

_SHARES = [
    "network.dropout",
    "network.input_dropout",
    "network.vector_dropout",
    "network.modality_dropout",
    "network.label_smoothing",
]
_POSITIVE = [
    "network.width",
    "network.hidden",
    "network.learning_rate",
    "network.dense_learning_rate",
    "svm.C",
    "svm.max_books",
    "text.gram_min",
    "text.max_terms",
    "loans.factors",
    "loans.neighbours",
    "sentence.record_tokens",
    "sentence.text_tokens",
    "sentence.max_books",
    "sentence.batch",
    "training.max_holdout",
    "recommend.neighbours",
    "recommend.min_borrowers",
    "recommend.near_by_loans",
    "recommend.near_by_text",
    "recommend.near_by_cover",
    "recommend.near_by_theme",
    "recommend.new_title_factor",
    "recommend.penalty",
    "recommend.author_share",
    "recommend.half_life_years",
]
_NOT_NEGATIVE = [
    "network.modality_loss",
    "network.weight_decay",
    "text.min_books",
    "network.epochs",
    "network.batch",
    "training.refit_below",
    "recommend.text_weight",
    "recommend.cover_weight",
    "recommend.theme_weight",
    "recommend.text_share",
    "recommend.cover_share",
    "recommend.theme_share",
    "recommend.again_weight",
    "recommend.popular_power",
    "recommend.unwanted_weight",
]
_RULES: list[tuple[list[str], Callable[[float], bool], str]] = [
    (_SHARES, lambda v: 0 <= v < 1, "must be at least 0 and below 1"),
    (_POSITIVE, lambda v: 0 < v < inf, "must be above 0 and finite"),
    (_NOT_NEGATIVE, lambda v: 0 <= v < inf, "must be 0 or more and finite"),
    (["svm.balance", "network.balance"], lambda v: 0 <= v <= 1, "must be between 0 and 1"),
    # Four layers halve the image, and normalisation needs more than one pixel of the result.
    (["cover.height", "cover.width"], lambda v: v > 16, "must be above 16 pixels"),
    (["audio.seconds"], lambda v: 1 <= v <= 600, "must be 1 to 600: ten minutes take a megabyte per book"),
    (["audio.bands"], lambda v: 1 <= v <= 80, "must be 1 to 80: a narrower band contains no frequency"),
    (
        ["training.folds"],
        lambda v: v >= 2,
        "must be 2 or more: each book needs a network that has not seen it",
    ),
    (
        ["training.holdout"],
        lambda v: 0 < v < 1,
        "must be above 0 and below 1: evaluation needs held-out books",
    ),
]


def check_config(config: "Config") -> None:
    """Reject invalid values. Raises `ConfigError` with the setting and its valid range."""
    values = _numbers(config)
    for keys, is_valid, requirement in _RULES:
        for key in keys:
            if not is_valid(values[key]):
                raise ConfigError(f"{key} {requirement}; it is {values[key]:g}.")
    if config.text.gram_max < config.text.gram_min:
        raise ConfigError("text.gram_max must not be below text.gram_min.")


def _numbers(config: "Config") -> Mapping[str, float]:
    """Return numeric settings by ``part.name``; the smallest number of a tuple, 1 of an empty one."""
    numbers: dict[str, float] = {}
    for part, options in config.to_dict().items():
        for name, value in options.items():
            if isinstance(value, (tuple, list)):
                numbers[f"{part}.{name}"] = min(value, default=1)
            elif not isinstance(value, str):
                numbers[f"{part}.{name}"] = value
    return numbers
