"""Configuration of the pipeline: options, parsing and serialisation."""

import dataclasses
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from classifier.pipeline.config.options import (
    AudioConfig,
    CoverConfig,
    LoansConfig,
    NetworkConfig,
    RecommendConfig,
    SentenceConfig,
    SvmConfig,
    TextConfig,
    TrainingConfig,
)
from classifier.pipeline.config.validation import check_config
from classifier.pipeline.errors import ConfigError

__all__ = [
    "SOURCES",
    "AudioConfig",
    "Config",
    "CoverConfig",
    "LoansConfig",
    "NetworkConfig",
    "RecommendConfig",
    "SentenceConfig",
    "Source",
    "SvmConfig",
    "TextConfig",
    "TrainingConfig",
    "names",
]

Source = Literal["loans", "text", "cover", "theme", "again", "new", "popular", "latest"]
"""Reason for a recommendation: see `classifier.pipeline.recommender.reranking.Candidate`."""
SOURCES: tuple[Source, ...] = ("loans", "text", "cover", "theme")
"""Sources of links between titles: co-borrowing, text, covers, and the classifier's encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, by part.

    Examples
    --------
    >>> Config().with_settings(["network.width=64", "svm.C=1"]).svm.C
    1.0
    """

    text: TextConfig = field(default_factory=TextConfig)
    cover: CoverConfig = field(default_factory=CoverConfig)
    loans: LoansConfig = field(default_factory=LoansConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    sentence: SentenceConfig = field(default_factory=SentenceConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    svm: SvmConfig = field(default_factory=SvmConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    recommend: RecommendConfig = field(default_factory=RecommendConfig)

    def with_settings(self, settings: Sequence[str]) -> Self:
        """Return a copy with ``part.name=value`` settings; raises `ConfigError` if one is invalid."""
        config = self
        for setting in settings:
            key, equals, value = setting.partition("=")
            part_name, dot, name = key.strip().partition(".")
            if not (equals and dot):
                raise ConfigError(f"“{setting}” must have the form part.name=value, e.g. network.width=64.")
            if key.strip() not in names():
                raise ConfigError(f"There is no setting “{key}”. Settings: {', '.join(names())}.")
            part = getattr(config, part_name)
            parsed = _parse(key.strip(), value.strip(), _types(type(part))[name])
            changed = dataclasses.replace(part, **{name: parsed})
            config = dataclasses.replace(config, **{part_name: changed})
        config.check()
        return config

    def check(self) -> None:
        """Reject invalid values. Raises `ConfigError` with the setting and its valid range."""
        check_config(self)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return JSON values; `from_dict` reads them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, dict[str, Any]]) -> Self:
        """Return the configuration that `to_dict` wrote, with defaults; may raise `ConfigError`."""
        if unknown_parts := set(values) - set(_types(cls)):
            raise ConfigError(f"There is no setting “{min(unknown_parts)}”.")
        parts = {}
        for part, kind in _types(cls).items():
            options = dict(values.get(part, {}))
            if unknown := set(options) - set(_types(kind)):
                raise ConfigError(f"There is no setting “{part}.{min(unknown)}”.")
            parts[part] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
        config = cls(**parts)
        config.check()
        return config


def names() -> list[str]:
    """Return all settings as ``part.name``."""
    return [f"{part}.{name}" for part, kind in _types(Config).items() for name in _types(kind)]


def _types(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _parse(key: str, value: str, kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise ConfigError(f"{key} must be one of {', '.join(typing.get_args(kind))}, not “{value}”.")
        return value
    try:
        if isinstance(kind, types.GenericAlias):  # tuple[int, ...]
            return tuple(int(part) for part in value.split(",") if part)
        return kind(value)
    except ValueError as error:
        raise ConfigError(f"{key} takes {getattr(kind, '__name__', kind)} values, not “{value}”.") from error
