"""Feature extraction: run all registered modalities on a catalogue."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Self

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.base import Block, Modality, Progress, Tensors, no_progress
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.records import Catalogue
from classifier.pipeline.text.terms import WordCredits

Blocks = Mapping[str, Block]


def modality_class(name: str) -> type[Modality]:
    """Import and return the class registered as `name`."""
    module, _, attribute = REGISTRY[name].rpartition(".")
    cls = getattr(import_module(module), attribute)
    if not (isinstance(cls, type) and issubclass(cls, Modality) and cls.name == name):
        raise PipelineError(f"REGISTRY[{name!r}] is not a Modality of that name.")
    return cls


class FeatureExtractor:
    """All modalities of a catalogue.

    Attributes
    ----------
    modalities_
        The fitted ones that at least one book has.
    cache
        For expensive features; may be replaced at any time.
    """

    def __init__(self, *, config: Config, cache: FeatureCache | None = None) -> None:
        self.config = config
        self.cache = cache or FeatureCache()
        self._notes: list[str] = []

    def fit_transform(
        self, catalogue: Catalogue, *, rng: np.random.Generator, progress: Progress = no_progress
    ) -> dict[str, Block]:
        """Fit every modality and return the blocks of the same books, without absent modalities."""
        self.modalities_: dict[str, Modality] = {}
        self._notes = []
        blocks = {}
        for done, name in enumerate(REGISTRY):
            progress("reading books", done, len(REGISTRY))
            modality = modality_class(name).from_config(self.config)
            modality.cache, modality.progress = self.cache, progress
            block = modality.fit_block(catalogue, rng=rng)
            self._notes.extend(modality.notes)
            if block.present.any() and all(block.spec.shape):
                self.modalities_[name] = modality
                blocks[name] = block
        progress("reading books", len(REGISTRY), len(REGISTRY))
        return blocks

    def transform(self, catalogue: Catalogue) -> dict[str, Block]:
        """Return the blocks of books, for the modalities fitted by `fit_transform`."""
        for modality in self.modalities_.values():
            modality.cache, modality.progress = self.cache, no_progress
        return {name: modality.block(catalogue) for name, modality in self.modalities_.items()}

    def transform_with_words(self, catalogue: Catalogue) -> tuple[dict[str, Block], dict[str, WordCredits]]:
        """Return the result of `transform`, and the words of modalities that have any."""
        blocks: dict[str, Block] = {}
        words: dict[str, WordCredits] = {}
        for name, modality in self.modalities_.items():
            modality.cache, modality.progress = self.cache, no_progress
            blocks[name], credits_ = modality.block_and_words(catalogue)
            if credits_ is not None:
                words[name] = credits_
        return blocks, words

    @property
    def notes(self) -> list[str]:
        """Return messages to the librarian from all modalities, absent ones included, and from the cache."""
        return [*self._notes, *self.cache.notes]

    def state(self) -> dict[str, tuple[dict[str, Any], Tensors]]:
        """Return the state of each modality by name."""
        return {name: modality.state() for name, modality in self.modalities_.items()}

    def load_state(self, states: Mapping[str, tuple[dict[str, Any], Tensors]]) -> Self:
        """Restore what `state` returned and return self."""
        self.modalities_ = {
            name: modality_class(name).from_config(self.config).load_state(*state)
            for name, state in states.items()
        }
        return self
