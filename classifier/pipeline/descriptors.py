"""What a cover looks like in some hundred numbers: colours, layout, edges.

A thousand covers are too few to learn to see from. These numbers need no learning, and a small network over
them was better than a convolutional one over the pixels and took a twentieth of the time.

References
----------
Colours: Swain and Ballard, Color Indexing, IJCV 7(1), 1991.
Edges: Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005.
Layout: Torralba, Fergus and Freeman, 80 Million Tiny Images, PAMI 30(11), 2008.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.pipeline.records import Float32

HEIGHT, WIDTH = 72, 48
"""Pixels read of a cover: 3:2 as books are; both have many divisors, and thumbnails hold no more."""
_HUES, _SATURATIONS, _VALUES = 12, 3, 3
_ORIENTATIONS = 8


def describe(pixels: npt.NDArray[np.uint8]) -> Float32:
    """Return the descriptors of covers.

    Parameters
    ----------
    pixels : uint8 array (n_covers, HEIGHT, WIDTH, 3)
        Red, green, blue.

    Returns
    -------
    float32 array (n_covers, `SIZE`)
    """
    images: Float32 = np.divide(pixels, 255, dtype=np.float32)
    hue, saturation, value = _hsv(images)
    strength, direction = _gradients(images.mean(axis=3))
    tiny = _pooled(images, 9, 6).mean(axis=(2, 4))  # (n, 9, 6, 3)
    statistics = [
        saturation.mean(axis=(1, 2)), saturation.std(axis=(1, 2)), value.mean(axis=(1, 2)),
        value.std(axis=(1, 2)), strength.mean(axis=(1, 2)), (value > 0.9).mean(axis=(1, 2)),
        (saturation < 0.1).mean(axis=(1, 2)),
    ]  # fmt: skip
    parts = [
        _colours(hue, saturation, value),
        tiny.reshape(len(images), -1),
        _edges(strength, direction),
        np.sqrt(strength.mean(axis=2)),  # lines of lettering show in the rows
        np.sqrt(strength.mean(axis=1)),
        np.stack(statistics, axis=1),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


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
    """Return the square root of each colour's share, so that small areas count too."""
    cells = _HUES * _SATURATIONS * _VALUES
    cell = (hue * _HUES).astype(int) % _HUES
    for part, steps in ((saturation, _SATURATIONS), (value, _VALUES)):
        cell = cell * steps + np.minimum((part * steps).astype(int), steps - 1)
    n = len(hue)
    cell += np.arange(n)[:, None, None] * cells
    shares = np.bincount(cell.ravel(), minlength=n * cells).reshape(n, cells) / hue[0].size
    return np.asarray(np.sqrt(shares), np.float32)


def _gradients(grey: Float32) -> tuple[Float32, npt.NDArray[Any]]:
    """Return how strong the edge at each pixel is and which of the directions it has."""
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    angle = np.arctan2(down, across) % np.pi / np.pi
    return np.hypot(across, down), (angle * _ORIENTATIONS).astype(int) % _ORIENTATIONS


def _edges(strength: Float32, direction: npt.NDArray[Any]) -> Float32:
    """Return the share of each direction in 6 by 4 fields, as square roots."""
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


SIZE = describe(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)).shape[1]
