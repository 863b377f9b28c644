"""The contract every modality keeps, and the block of features it hands on."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.records import Bool, Catalogue, Float32
from classifier.pipeline.text.terms import Words

Tensors = dict[str, np.ndarray[Any, Any]]
Progress = Callable[[str, int, int], None]
"""``progress(phase, done, total)``: how far a phase is; ``done == total`` ends it."""


def no_progress(phase: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """The form of a modality's rows; it decides how the network reads them.

    Attributes
    ----------
    kind : {"sparse", "vector", "image", "spectrum"}
        Weighted terms, plain numbers, pixels, or loudness by pitch and time.
    shape : tuple of int
        Of one row: (d,), (channels, height, width) for images, or (bands, moments) for spectra.
    """

    kind: Literal["sparse", "vector", "image", "spectrum"]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The features of one modality.

    Attributes
    ----------
    values : float32 array or CSR matrix (n_books, d)
        For images and spectra uint8 instead, a quarter of the memory. Rows of absent books are zeros that
        nothing may read.
    present : bool array (n_books,)
        Whether the book has this modality at all.
    spec : BlockSpec
    links : CSR matrix (n_books, n_known), optional
        How near each book is to each book of the catalogue that the modality was fitted on, itself left
        out; rows sum to 1, or to 0 where there is none.
    """

    values: Any
    present: Bool
    spec: BlockSpec
    links: sp.csr_matrix | None = None

    def take(self, rows: np.ndarray[Any, Any]) -> "Block":
        """Return the block of some of the books, by index or by mask."""
        links = None if self.links is None else self.links[rows]
        return Block(values=self.values[rows], present=self.present[rows], spec=self.spec, links=links)


class Modality(ABC):
    """One way of reading a book.

    A subclass is stateless until `fit`; it learns from the books alone, never from their categories, so
    nothing of a held-out book's category can leak through it.
    """

    name: ClassVar[str]
    shows_nearest: ClassVar[bool] = False
    """Whether the nearest categorised books are named as evidence: people see or hear for themselves."""
    notes: tuple[str, ...] = ()
    """What a librarian should know of the last `fit`: a fallback taken, say."""
    cache = FeatureCache()
    """Where features that take long are looked up first; the extractor sets it. This one keeps nothing."""
    progress: Progress = staticmethod(no_progress)
    """Told of what takes minutes; the extractor sets it."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Config) -> Self:
        """Return an unfitted modality with the settings it needs."""

    @abstractmethod
    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        """Learn what this modality needs of the catalogue, and return self."""

    @property
    @abstractmethod
    def spec(self) -> BlockSpec:
        """The form of the rows that `transform` returns, known after `fit`."""

    @abstractmethod
    def transform(self, catalogue: Catalogue) -> Float32 | sp.csr_matrix:
        """Return the features, (n_books, d); zeros where the modality is absent."""

    @abstractmethod
    def present(self, catalogue: Catalogue) -> Bool:
        """Return for each book whether it has this modality, (n_books,)."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], Tensors]:
        """Return all that `fit` learned, as JSON values and as arrays."""

    @abstractmethod
    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        """Take back what `state` gave, and return self."""

    def block(self, catalogue: Catalogue) -> Block:
        """Return the features together with who has them."""
        return Block(values=self.transform(catalogue), present=self.present(catalogue), spec=self.spec)

    def block_and_words(self, catalogue: Catalogue) -> tuple[Block, Words | None]:
        """Return the block, and the words its values come from; overridden where there are words."""
        return self.block(catalogue), None

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        """Fit and return the block of the same books; overridden where one pass does both."""
        return self.fit(catalogue, rng=rng).block(catalogue)
