"""Hand-crafted cover descriptors: format, texture, colour, layout and edges.

A thousand covers are too few to learn vision from; a small network on descriptors beat a convolutional
network on pixels and took a twentieth of the time. The format is specific to kinds of books (manga,
paperbacks, textbooks, picture books). Texture separates drawings from photographs, large letters from small.

References
----------
Ahmed, Natarajan and Rao, Discrete Cosine Transform, IEEE Transactions on Computers 23(1), 1974, and on fixed
filters with pooling Coates, Ng and Lee, An Analysis of Single-Layer Networks in Unsupervised Feature
Learning, AISTATS 2011 (texture). Swain and Ballard, Color Indexing, IJCV 7(1), 1991 (colours). Dalal and
Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005 (edges). Torralba, Fergus and Freeman,
80 Million Tiny Images, PAMI 30(11), 2008 (layout).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from classifier.pipeline.records import Float32

HEIGHT, WIDTH = 216, 144
"""Input size, 3:2 like books. Texture uses all pixels, the other descriptors means of 3 by 3."""
_REDUCED = 72, 48
_PATCH, _STEP = 8, 4
_FORMATS = np.linspace(-0.5, 1, 51)
"""Logarithms of height over width, from two thirds to almost three."""
_HUES, _SATURATIONS, _VALUES = 12, 3, 3
_ORIENTATIONS = 8
_FAINT = 2e-4  # variance of a plain patch: keeps noise from being amplified


def describe(pixels: npt.NDArray[np.uint8], ratios: npt.ArrayLike) -> Float32:
    """Return descriptors (n_covers, SIZE) of covers with `ratios` (n_covers,), height over width."""
    full: Float32 = np.divide(pixels, 255, dtype=np.float32)
    images = _pooled(full, *_REDUCED).mean(axis=(2, 4))
    hue, saturation, value = _hsv(images)
    strength, direction = _gradients(images.mean(axis=3))
    tiny = _pooled(images, 9, 6).mean(axis=(2, 4))  # (n, 9, 6, 3)
    statistics = [
        saturation.mean(axis=(1, 2)), saturation.std(axis=(1, 2)), value.mean(axis=(1, 2)),
        value.std(axis=(1, 2)), strength.mean(axis=(1, 2)), (value > 0.9).mean(axis=(1, 2)),
        (saturation < 0.1).mean(axis=(1, 2)),
    ]  # fmt: skip
    parts = [
        _format(ratios),
        _texture(full.mean(axis=3)),
        _colours(hue, saturation, value),
        tiny.reshape(len(images), -1),
        _edges(strength, direction),
        np.sqrt(strength.mean(axis=2)),  # lines of text are visible in the row profile
        np.sqrt(strength.mean(axis=1)),
        np.stack(statistics, axis=1),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _format(ratios: npt.ArrayLike) -> Float32:
    """Return the similarity of each ratio to each format; the resolution is one hundredth."""
    distance = (np.log(np.clip(ratios, 0.1, 10))[:, None] - _FORMATS) / (_FORMATS[1] - _FORMATS[0])
    return np.asarray(np.exp(-(distance**2) / 2), np.float32)


def _texture(grey: Float32) -> Float32:
    """Return the energy of each non-constant DCT wave in contrast-normalised patches."""
    waves = np.kron(*[dct(np.eye(_PATCH, dtype=np.float32), axis=0, norm="ortho")] * 2)[1:].T
    energy = np.empty((len(grey), waves.shape[1]), np.float32)
    # One by one: the rounding of a matrix product depends on its size.
    for row, cover in enumerate(grey):
        patches = np.lib.stride_tricks.sliding_window_view(cover, (_PATCH, _PATCH))[::_STEP, ::_STEP]
        flat = patches.reshape(-1, _PATCH * _PATCH)
        flat = flat / np.sqrt(flat.var(axis=1, keepdims=True) + _FAINT)
        energy[row] = np.abs(flat @ waves).mean(axis=0)
    return np.sqrt(energy)


def _hsv(images: Float32) -> tuple[Float32, Float32, Float32]:
    """Return hue, saturation and value, 0 to 1, each (n, height, width)."""
    red, green, blue = np.moveaxis(images, 3, 0)
    value, least = images.max(axis=3), images.min(axis=3)
    spread = value - least + np.float32(1e-6)
    sector = np.where(
        value == red,
        ((green - blue) / spread) % 6,
        np.where(value == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    return sector / 6, (value - least) / (value + np.float32(1e-6)), value


def _colours(hue: Float32, saturation: Float32, value: Float32) -> Float32:
    """Return the square root of each colour's share, so that small areas count."""
    cells = _HUES * _SATURATIONS * _VALUES
    cell = (hue * _HUES).astype(int) % _HUES
    for part, steps in ((saturation, _SATURATIONS), (value, _VALUES)):
        cell = cell * steps + np.minimum((part * steps).astype(int), steps - 1)
    n = len(hue)
    cell += np.arange(n)[:, None, None] * cells
    shares = np.bincount(cell.ravel(), minlength=n * cells).reshape(n, cells) / hue[0].size
    return np.asarray(np.sqrt(shares), np.float32)


def _gradients(grey: Float32) -> tuple[Float32, npt.NDArray[Any]]:
    """Return strength and direction bin of the edge at each pixel."""
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    angle = np.arctan2(down, across) % np.pi / np.pi
    return np.hypot(across, down), (angle * _ORIENTATIONS).astype(int) % _ORIENTATIONS


def _edges(strength: Float32, direction: npt.NDArray[Any]) -> Float32:
    """Return the share of each direction in 6 by 4 cells, as square roots."""
    fields = [
        _pooled(strength * (direction == k), 6, 4).sum(axis=(2, 4)).reshape(len(strength), -1)
        for k in range(_ORIENTATIONS)
    ]
    edges = np.concatenate(fields, axis=1)
    edges /= np.linalg.norm(edges, axis=1, keepdims=True) + np.float32(1e-6)
    return np.asarray(np.sqrt(edges), np.float32)


def _pooled(images: Float32, rows: int, columns: int) -> Float32:
    """Return (n, rows, height / rows, columns, width / columns, ...)."""
    n, height, width, *rest = images.shape
    return images.reshape(n, rows, height // rows, columns, width // columns, *rest)


SIZE = describe(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), [1.5]).shape[1]
_WAVES = _PATCH * _PATCH - 1
_OTHERS = SIZE - len(_FORMATS) - _WAVES
WEIGHTS = np.ones(SIZE, np.float32)
"""For standardised descriptors: the few numbers of format and texture together weigh as much as all
others."""
WEIGHTS[: len(_FORMATS)] = np.sqrt(_OTHERS / len(_FORMATS))
WEIGHTS[len(_FORMATS) : len(_FORMATS) + _WAVES] = np.sqrt(_OTHERS / _WAVES)
