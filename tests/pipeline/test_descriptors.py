"""Descriptors of covers: colours, layout and edges, each where it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.descriptors import HEIGHT, SIZE, WIDTH, describe

COLOURS = 12 * 3 * 3
LAYOUT = 9 * 6 * 3
EDGES = 8 * 6 * 4


def plain(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (1, HEIGHT, WIDTH, 3))


def stripes(*, across: bool) -> np.ndarray:
    """Return black and white bands of four pixels, across the cover or down it."""
    lines = (np.arange(HEIGHT if across else WIDTH) // 4 % 2 * 255).astype(np.uint8)
    grey = lines[:, None] if across else lines[None, :]
    return np.broadcast_to(grey[None, :, :, None], (1, HEIGHT, WIDTH, 3))


def edges_of(cover: np.ndarray) -> np.ndarray:
    """Return how strong each of the eight directions is."""
    found = describe(cover)[0, COLOURS + LAYOUT : COLOURS + LAYOUT + EDGES]
    return found.reshape(8, -1).sum(axis=1)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 128, 255), (20, 20, 20), (255, 255, 255)])
def test_a_plain_cover_has_one_colour_its_layout_everywhere_and_no_edge(colour):
    (found,) = describe(plain(*colour))
    assert sorted(found[:COLOURS])[-2:] == [0, 1]
    layout = found[COLOURS : COLOURS + LAYOUT].reshape(9, 6, 3)
    np.testing.assert_allclose(layout, np.broadcast_to(np.array(colour) / 255, (9, 6, 3)), atol=1e-6)
    assert not found[COLOURS + LAYOUT : COLOURS + LAYOUT + EDGES].any()


def test_two_halves_share_the_colours_by_their_area():
    cover = plain(255, 0, 0).copy()
    cover[:, : HEIGHT // 4] = (0, 0, 255)
    assert sorted(describe(cover)[0, :COLOURS])[-2:] == pytest.approx([0.25**0.5, 0.75**0.5])


def test_edges_are_told_apart_by_their_direction():
    across, down = edges_of(stripes(across=True)), edges_of(stripes(across=False))
    assert across.argmax() != down.argmax()
    assert np.count_nonzero(across) == np.count_nonzero(down) == 1


@given(st.integers(0, 99), st.integers(1, 5))
def test_a_cover_is_described_alike_in_any_company(seed, n):
    covers = np.random.default_rng(seed).integers(0, 256, (n, HEIGHT, WIDTH, 3), np.uint8)
    together = describe(covers)
    assert together.shape == (n, SIZE)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    for cover, row in zip(covers, together, strict=True):
        np.testing.assert_allclose(describe(cover[None])[0], row, rtol=1e-6, atol=1e-6)
