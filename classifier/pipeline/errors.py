"""The errors the pipeline raises on purpose."""

from typing import Any


class PipelineError(Exception):
    """Something a person can mend; see `message`.

    Parameters
    ----------
    message : str
        What is wrong and how to mend it.
    **extra
        The facts behind the sentence, JSON-serialisable.
    """

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class ConfigError(PipelineError):
    """A setting that does not exist or cannot have this value."""


class NotEnoughData(PipelineError):  # noqa: N818 - the state of a library, not a fault
    """Too few books or categories to learn from."""


class ArtifactError(PipelineError):
    """A stored model that is incomplete, altered, or of another format."""
