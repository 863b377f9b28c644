"""Errors that the pipeline raises deliberately."""

from typing import Any


class PipelineError(Exception):
    """A problem that a person can fix: message with the solution, and JSON-serialisable details."""

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class ConfigError(PipelineError):
    """An unknown setting or an invalid value."""


class NotEnoughData(PipelineError):  # noqa: N818 - a state of the library, not a defect
    """Too few books or categories to learn from."""


class ArtifactError(PipelineError):
    """A stored model that is incomplete, altered, or of another format."""
