"""Pretrained image networks of torchvision: an image becomes the input of the network's last layer.

Import this module where a network is used: importing torchvision takes as long as importing torch.
"""

from collections.abc import Mapping, Sequence
from pickle import UnpicklingError
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import models

from classifier.pipeline.errors import ConfigError
from classifier.pipeline.features.base import Tensors
from classifier.pipeline.features.cache import content_key
from classifier.pipeline.records import Float32

_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}
"""Options of networks whose structure depends on whether pretrained weights are loaded."""


class MissingWeightsError(Exception):
    """Pretrained weights are neither on this machine nor to be downloaded."""


class ImageNetwork:
    """A classification network of torchvision by its name, such as ``resnet18``.

    Attributes
    ----------
    width
        Length of an image's vector.
    fingerprint
        Hash of the weights.
    """

    def __init__(self, name: str, network: nn.Module) -> None:
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise ConfigError(f"cover.pretrained: {name} has no linear layer.")
        self.name = name
        self._network, self._last = network.eval(), linear[-1]
        self.width = self._last.in_features
        self.fingerprint = content_key(*(array.tobytes() for array in self.tensors().values()))

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """Load a network with its pretrained weights.

        Raises
        ------
        ConfigError
            If torchvision has no such network, or it has no linear layer.
        MissingWeightsError
        """
        if name not in models.list_models(module=models):
            raise ConfigError(f"cover.pretrained: torchvision has no classification model “{name}”.")
        try:
            network = models.get_model(name, weights="DEFAULT")
        except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
            raise MissingWeightsError(str(error)) from error
        return cls(name, network)

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, Any]) -> Self:
        """Return a stored network."""
        network = models.get_model(name, weights=None, **_OPTIONS.get(name, {}))
        network.load_state_dict({key: torch.from_numpy(array) for key, array in tensors.items()})
        return cls(name, network)

    def tensors(self) -> Tensors:
        """Return the arrays that `from_tensors` reads."""
        return {key: tensor.numpy() for key, tensor in self._network.state_dict().items()}

    def encode(self, images: Sequence[Image.Image]) -> Float32:
        """Return the vectors of RGB images, (n_images, width), of length ``sqrt(width)``."""
        if not images:
            return np.empty((0, self.width), np.float32)
        transform = models.get_model_weights(self.name).DEFAULT.transforms()
        captured: list[torch.Tensor] = []
        hook = self._last.register_forward_pre_hook(lambda _module, inputs: captured.append(inputs[0]))
        try:
            with torch.inference_mode():
                self._network(torch.stack([transform(image) for image in images]))
        finally:
            hook.remove()
        vectors: Float32 = nn.functional.normalize(captured[0], dim=1).numpy()
        return vectors * np.float32(np.sqrt(self.width))
