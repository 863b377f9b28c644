"""Cover modality.

With a pretrained torchvision network, a cover becomes the input of the network's last layer. Without one (the
default: weights are a download) it becomes descriptors of format, texture, colour, layout and edges, or
optionally pixels, on which the fusion network trains a convolutional network.
"""

import io
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import PIL
from PIL import Image

from classifier.pipeline.config import Config, CoverConfig
from classifier.pipeline.features import image_descriptors
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.features.image_descriptors import HEIGHT, SIZE, WEIGHTS, WIDTH, describe
from classifier.pipeline.records import Bool, Catalogue

if TYPE_CHECKING:
    from classifier.pipeline.features.image_network import ImageNetwork

_BATCH = 64  # covers per pass of a pretrained network: at most about 1 GB
_CHUNK = 512  # files in memory at a time
_MAX_DEVIATIONS = 4  # clips descriptors, so that a rare format cannot dominate the others
_MAX_FILE_BYTES = 50_000_000
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
"""Every format is another parser for untrusted bytes (EPS would start Ghostscript)."""
_SOURCE_KEY = source_key(
    sys.modules[__name__], image_descriptors, versions=(PIL.__version__, version("torchvision"))
)


def read_cover(content: bytes, *, size: tuple[int, int]) -> Image.Image | None:
    """Return a cover as RGB of `size` (width, height), or None if unreadable."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            image.draft("RGB", (size[0] * 2, size[1] * 2))  # JPEG decodes at reduced size
            return image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


class CoverModality(Modality):
    """Descriptors of a cover, features of a pretrained network, or pixels."""

    name = "cover"
    shows_nearest = True

    def __init__(self, *, settings: CoverConfig) -> None:
        self.settings = settings
        self.network: ImageNetwork | None = None
        self.mean = self.scale = np.zeros(0, np.float32)  # of the descriptors, (d,)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.cover)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.fit_block(catalogue, rng=rng)
        return self

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        self._load_pretrained()
        if not self._uses_descriptors:
            return self.block(catalogue)
        block = self._block(catalogue, np.float32, self._descriptors)
        self.mean, self.scale = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
        if len(covers := block.values[block.present]):
            spread = covers.std(axis=0, dtype=np.float64)  # float32 sums depend on the order of the books
            self.mean = covers.mean(axis=0, dtype=np.float64).astype(np.float32)
            self.scale = (1 / (spread + 1e-3)).astype(np.float32)
        return self._standardised(block)

    def _load_pretrained(self) -> None:
        self.network, self.notes = None, ()
        if name := self.settings.pretrained:
            from classifier.pipeline.features.image_network import ImageNetwork, MissingWeightsError

            try:
                self.network = ImageNetwork.pretrained(name)
            except MissingWeightsError as error:
                self.notes = (
                    f"The pretrained weights of {name} could not be loaded ({error}); covers are read "
                    "without them. Put the weights into TORCH_HOME/hub/checkpoints.",
                )

    @property
    def _uses_descriptors(self) -> bool:
        return self.network is None and self.settings.features == "descriptors"

    @property
    def spec(self) -> BlockSpec:
        if self._uses_descriptors:
            return BlockSpec(kind="vector", shape=(SIZE,))
        if self.network is None:
            return BlockSpec(kind="image", shape=(3, self.settings.height, self.settings.width))
        return BlockSpec(kind="vector", shape=(self.network.width,))

    def transform(self, catalogue: Catalogue) -> Any:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        if self._uses_descriptors:
            return self._standardised(self._block(catalogue, np.float32, self._descriptors))
        if self.network is None:
            size = f"{self.settings.width}x{self.settings.height}"
            return self._block(catalogue, np.uint8, self._pixels, settings=(size,))
        settings = (self.network.name, self.network.fingerprint)
        return self._block(catalogue, np.float32, self._network_features, settings=settings)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        if self.network is None:
            return {"network": ""}, {"mean": self.mean, "scale": self.scale}
        return {"network": self.network.name}, self.network.tensors()

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.network = None
        if name := values["network"]:
            from classifier.pipeline.features.image_network import ImageNetwork

            self.network = ImageNetwork.from_tensors(name, tensors)
        else:
            self.mean, self.scale = tensors["mean"], tensors["scale"]
            expected = (SIZE,) if self._uses_descriptors else (0,)
            if not self.mean.shape == self.scale.shape == expected:
                raise ValueError("mean and scale do not match the descriptors.")
        return self

    def _block(
        self,
        catalogue: Catalogue,
        kind: type[np.generic],
        compute: Callable[[Sequence[bytes]], Iterable[bytes]],
        *,
        settings: tuple[str | bytes, ...] = (),
    ) -> Block:
        values = np.zeros((len(catalogue.books), int(np.prod(self.spec.shape))), kind)
        present = np.zeros(len(catalogue.books), bool)
        covers = ((i, book.cover) for i, book in enumerate(catalogue.books) if book.cover is not None)
        while part := list(islice(covers, _CHUNK)):
            files = [_content(path) for _, path in part]
            computed = self.cache.get_or_compute(
                keys=[content_key(_SOURCE_KEY, compute.__name__, *settings, file) for file in files],
                items=files,
                compute=compute,
            )
            for (i, _), row in zip(part, computed, strict=True):
                if row:
                    values[i], present[i] = np.frombuffer(row, kind), True
        return Block(values=values, present=present, spec=self.spec)

    def _standardised(self, block: Block) -> Block:
        values = ((block.values - self.mean) * self.scale).clip(-_MAX_DEVIATIONS, _MAX_DEVIATIONS) * WEIGHTS
        values *= block.present[:, None]
        return Block(values=values, present=block.present, spec=block.spec)

    def _descriptors(self, files: Sequence[bytes]) -> Iterable[bytes]:
        for start in range(0, len(files), _BATCH):
            part = files[start : start + _BATCH]
            images = [read_cover(file, size=(WIDTH, HEIGHT)) for file in part]
            read = [np.asarray(image) for image in images if image]
            ratios = [_ratio(file) for file, image in zip(part, images, strict=True) if image]
            described = iter(describe(np.stack(read), ratios)) if read else iter(())
            yield from (next(described).tobytes() if image else b"" for image in images)

    def _pixels(self, files: Sequence[bytes]) -> Iterable[bytes]:
        """Yield the pixels of each file as bytes, uint8 (3 * height * width), channels first."""
        for file in files:
            image = read_cover(file, size=(self.settings.width, self.settings.height))
            yield np.asarray(image).transpose(2, 0, 1).tobytes() if image else b""

    def _network_features(self, files: Sequence[bytes]) -> Iterable[bytes]:
        assert self.network is not None
        for start in range(0, len(files), _BATCH):
            images = [read_cover(file, size=(256, 384)) for file in files[start : start + _BATCH]]
            vectors = iter(self.network.encode([image for image in images if image]))
            yield from (next(vectors).tobytes() if image else b"" for image in images)


def _ratio(content: bytes) -> float:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        return image.height / image.width


def _content(path: Path) -> bytes:
    """Return the bytes of a file; b"" if unreadable or too large."""
    try:
        return path.read_bytes() if path.stat().st_size <= _MAX_FILE_BYTES else b""
    except (OSError, ValueError):  # ValueError: an invalid path, such as one with a null byte
        return b""
