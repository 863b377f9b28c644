"""Runs the registry: all modalities of a catalogue, as blocks with who has what."""

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
from classifier.pipeline.text.terms import Words

Blocks = Mapping[str, Block]


def modality_class(name: str) -> type[Modality]:
    """Import and return the class that REGISTRY has under `name`."""
    module, _, attribute = REGISTRY[name].rpartition(".")
    found = getattr(import_module(module), attribute)
    if not (isinstance(found, type) and issubclass(found, Modality) and found.name == name):
        raise PipelineError(f"REGISTRY[{name!r}] is no Modality of that name.")
    return found


class FeatureExtractor:
    """All modalities that a catalogue has.

    Parameters
    ----------
    config : Config
    cache : FeatureCache, optional
        Where features that take long are looked up first; another can be put in its place at any time.

    Attributes
    ----------
    modalities_ : dict of str to Modality
        The fitted modalities that at least one book has, in the order of the registry.
    """

    def __init__(self, *, config: Config, cache: FeatureCache | None = None) -> None:
        self.config = config
        self.cache = cache or FeatureCache()
        self._notes: list[str] = []

    def fit_transform(
        self, catalogue: Catalogue, *, rng: np.random.Generator, progress: Progress = no_progress
    ) -> dict[str, Block]:
        """Fit every modality and return the blocks of the same books; absent modalities are left out."""
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
        """Return the blocks of books, of the modalities known at `fit_transform`."""
        for modality in self.modalities_.values():
            modality.cache, modality.progress = self.cache, no_progress
        return {name: modality.block(catalogue) for name, modality in self.modalities_.items()}

    def transform_with_words(self, catalogue: Catalogue) -> tuple[dict[str, Block], dict[str, Words]]:
        """Return what `transform` does, and the words of each modality that has any."""
        blocks: dict[str, Block] = {}
        found: dict[str, Words] = {}
        for name, modality in self.modalities_.items():
            modality.cache, modality.progress = self.cache, no_progress
            blocks[name], words = modality.block_and_words(catalogue)
            if words is not None:
                found[name] = words
        return blocks, found

    @property
    def notes(self) -> list[str]:
        """What the modalities, those that no book has too, and the cache have to say of the fitting."""
        return [*self._notes, *self.cache.notes]

    def state(self) -> dict[str, tuple[dict[str, Any], Tensors]]:
        """Return the state of each modality by name."""
        return {name: modality.state() for name, modality in self.modalities_.items()}

    def load_state(self, states: Mapping[str, tuple[dict[str, Any], Tensors]]) -> Self:
        """Take back what `state` gave."""
        self.modalities_ = {
            name: modality_class(name).from_config(self.config).load_state(*state)
            for name, state in states.items()
        }
        return self
