"""Interface of a sentence encoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from classifier.pipeline.errors import PipelineError
from classifier.pipeline.records import Float32


class EncoderError(PipelineError):
    """The sentence encoder is missing, damaged, or another one than before."""


class Encoder(ABC):
    """A pretrained model that turns a text into a vector."""

    pinned: ClassVar[bool] = False
    """Whether the fingerprint alone identifies the vectors; otherwise they are compared, too."""
    name: str
    """The name by which `load_encoder` finds it again."""
    dimension: int
    """Length of a vector."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of the weights and the vocabulary."""

    @abstractmethod
    def encode(self, texts: Sequence[str], *, max_tokens: int) -> Float32:
        """Return unit vectors of texts, (n_texts, dimension).

        The other texts of a call change a vector by rounding errors only.

        Parameters
        ----------
        max_tokens
            Later tokens of a text are not read; an encoder with a limit of its own may ignore this.
        """
