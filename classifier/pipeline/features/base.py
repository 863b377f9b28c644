"""The modality interface and the block of features a modality returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.records import Bool, Catalogue, Float32
from classifier.pipeline.text.terms import WordCredits

Tensors = dict[str, np.ndarray[Any, Any]]
Progress = Callable[[str, int, int], None]
"""``progress(phase, done, total)``: progress of a phase, which ends with ``done == total``."""


def no_progress(phase: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """Kind and shape of a modality's rows; decides which encoder reads them.

    Attributes
    ----------
    kind
        Weighted terms, numbers, pixels, or loudness by band and time.
    shape
        (d,), (channels, height, width) for images, (bands, frames) for spectra.
    """

    kind: Literal["sparse", "vector", "image", "spectrum"]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The features of one modality.

    Attributes
    ----------
    values : (n_books, d)
        float32, or uint8 for images and spectra, a quarter of the memory; rows of absent books are zeros and
        must not be read.
    present : (n_books,)
        Whether the book has this modality.
    links : (n_books, n_known)
        Weights of other books at `fit`; rows sum to 1, or to 0 if empty.
    """

    values: Any
    present: Bool
    spec: BlockSpec
    links: sp.csr_matrix | None = None

    def take(self, rows: np.ndarray[Any, Any]) -> "Block":
        """Return the block of some books, by index or mask."""
        links = None if self.links is None else self.links[rows]
        return Block(values=self.values[rows], present=self.present[rows], spec=self.spec, links=links)


class Modality(ABC):
    """A type of evidence about a book.

    Stateless until `fit`, and learns from books only, so no category of a held-out book can leak.
    """

    name: ClassVar[str]
    shows_nearest: ClassVar[bool] = False
    """Whether nearest books are shown as evidence, because people can judge them by eye or ear."""
    notes: tuple[str, ...] = ()
    """Messages to the librarian about the last `fit`, such as a fallback."""
    cache = FeatureCache()
    """Cache for expensive features; set by the extractor. The default stores nothing."""
    progress: Progress = staticmethod(no_progress)
    """Callback for work that takes minutes; set by the extractor."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Config) -> Self:
        """Return an unfitted modality with its settings."""

    @abstractmethod
    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        """Learn from the catalogue and return self."""

    @property
    @abstractmethod
    def spec(self) -> BlockSpec:
        """Return the form of the rows; available after `fit`."""

    @abstractmethod
    def transform(self, catalogue: Catalogue) -> Float32 | sp.csr_matrix:
        """Return the features, (n_books, d); zeros where the modality is absent."""

    @abstractmethod
    def present(self, catalogue: Catalogue) -> Bool:
        """Return which books have this modality, (n_books,)."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], Tensors]:
        """Return everything that `fit` learned, as JSON values and arrays."""

    @abstractmethod
    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        """Restore what `state` returned and return self."""

    def block(self, catalogue: Catalogue) -> Block:
        """Return the features and the presence mask."""
        return Block(values=self.transform(catalogue), present=self.present(catalogue), spec=self.spec)

    def block_and_words(self, catalogue: Catalogue) -> tuple[Block, WordCredits | None]:
        """Return the block and its words; overridden by modalities with words."""
        return self.block(catalogue), None

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        """Fit and return the block of the same books; overridden where one pass does both."""
        return self.fit(catalogue, rng=rng).block(catalogue)
