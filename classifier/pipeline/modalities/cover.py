"""Covers: what the book looks like.

With a pretrained torchvision network, a cover becomes what the network sees in it before its last layer.
Without one (the default: weights are a download), it becomes a small picture, and the fusion network
learns a convolutional network of its own on it.
"""

from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import models

from classifier.pipeline.config import Config, CoverConfig
from classifier.pipeline.errors import ConfigError
from classifier.pipeline.modality import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.records import Bool, Catalogue

_BATCH = 64  # covers of 224 x 224 pixels through a pretrained network: about 1 GB at most


def read_cover(path: Path, *, size: tuple[int, int]) -> Image.Image | None:
    """Return a cover as RGB of (width, height) `size`, or None if it cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (size[0] * 2, size[1] * 2))  # JPEG decodes to a smaller size at once
            return image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


class CoverModality(Modality):
    """Pixels of a cover, or a pretrained network's features of it."""

    name = "cover"

    def __init__(self, *, settings: CoverConfig) -> None:
        self.settings = settings
        self.network: nn.Module | None = None

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.cover)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.network, self.notes = None, ()
        if name := self.settings.pretrained:
            if name not in models.list_models(module=models):
                raise ConfigError(f"cover.pretrained: torchvision has no classification model “{name}”.")
            try:
                network = models.get_model(name, weights="DEFAULT").eval()
            except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
                self.notes = (
                    f"The pretrained weights of {name} could not be loaded ({error}); covers are learned "
                    "from scratch. Put the weights into TORCH_HOME/hub/checkpoints to use them.",
                )
                return self
            if not any(isinstance(module, nn.Linear) for module in network.modules()):
                raise ConfigError(f"cover.pretrained: {name} has no linear layer to take features before.")
            self.network = network
        return self

    @property
    def spec(self) -> BlockSpec:
        if self.network is None:
            return BlockSpec(kind="image", shape=(3, self.settings.height, self.settings.width))
        return BlockSpec(kind="vector", shape=(_last_linear(self.network).in_features,))

    def transform(self, catalogue: Catalogue) -> Any:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        values, present = self._embeddings(catalogue) if self.network else self._pixels(catalogue)
        return Block(values=values, present=present, spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        if self.network is None:
            return {"network": ""}, {}
        tensors = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        return {"network": self.settings.pretrained}, tensors

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.network = None
        if values["network"]:
            self.network = models.get_model(values["network"], weights=None).eval()
            self.network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
        return self

    def _pixels(self, catalogue: Catalogue) -> tuple[Any, Bool]:
        """Return uint8 pixels (n_books, 3 * height * width), channels first, and who has them."""
        size = (self.settings.width, self.settings.height)
        values = np.zeros((len(catalogue.books), 3 * size[0] * size[1]), np.uint8)
        present = np.zeros(len(catalogue.books), bool)
        for i, image in _covers(catalogue, size=size):
            values[i] = np.asarray(image).transpose(2, 0, 1).ravel()
            present[i] = True
        return values, present

    def _embeddings(self, catalogue: Catalogue) -> tuple[Any, Bool]:
        """Return the network's features (n_books, d), float32, and who has them."""
        assert self.network is not None
        prepare = models.get_model_weights(self.settings.pretrained).DEFAULT.transforms()
        last = _last_linear(self.network)
        seen: list[torch.Tensor] = []
        hook = last.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        values = np.zeros((len(catalogue.books), last.in_features), np.float32)
        present = np.zeros(len(catalogue.books), bool)
        covers = list(_covers(catalogue, size=(256, 384)))
        try:
            for start in range(0, len(covers), _BATCH):
                rows, images = zip(*covers[start : start + _BATCH], strict=True)
                with torch.inference_mode():
                    self.network(torch.stack([prepare(image) for image in images]))
                features = nn.functional.normalize(seen.pop(), dim=1).numpy()
                values[list(rows)] = features * np.sqrt(features.shape[1])
                present[list(rows)] = True
        finally:
            hook.remove()
        return values, present


def _covers(catalogue: Catalogue, *, size: tuple[int, int]) -> Iterator[tuple[int, Image.Image]]:
    for i, book in enumerate(catalogue.books):
        if book.cover is not None and (image := read_cover(book.cover, size=size)) is not None:
            yield i, image


def _last_linear(network: nn.Module) -> nn.Linear:
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
