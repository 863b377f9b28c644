"""Cover descriptors: colours, layout, edges, texture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.image_descriptors import HEIGHT, SIZE, WEIGHTS, WIDTH, describe

FORMATS = 51
TEXTURE = 8 * 8 - 1
COLOURS = 12 * 3 * 3
LAYOUT = 9 * 6 * 3
EDGES = 8 * 6 * 4


def plain(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (1, HEIGHT, WIDTH, 3))


def stripes(*, across: bool) -> np.ndarray:
    """Return black and white bands of twelve pixels, across the cover or down it."""
    lines = (np.arange(HEIGHT if across else WIDTH) // 12 % 2 * 255).astype(np.uint8)
    grey = lines[:, None] if across else lines[None, :]
    return np.broadcast_to(grey[None, :, :, None], (1, HEIGHT, WIDTH, 3))


def described(cover: np.ndarray) -> np.ndarray:
    """Return what follows format and texture."""
    return describe(cover, [1.5])[0, FORMATS + TEXTURE :]


def texture(cover: np.ndarray) -> np.ndarray:
    return describe(cover, [1.5])[0, FORMATS : FORMATS + TEXTURE]


def edges_of(cover: np.ndarray) -> np.ndarray:
    """Return how strong each of the eight directions is."""
    result = described(cover)[COLOURS + LAYOUT : COLOURS + LAYOUT + EDGES]
    return result.reshape(8, -1).sum(axis=1)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 128, 255), (20, 20, 20), (255, 255, 255)])
def test_plain_cover_has_one_colour_and_no_edges(colour):
    result = described(plain(*colour))
    assert sorted(result[:COLOURS])[-2:] == [0, 1]
    layout = result[COLOURS : COLOURS + LAYOUT].reshape(9, 6, 3)
    np.testing.assert_allclose(layout, np.broadcast_to(np.array(colour) / 255, (9, 6, 3)), atol=1e-6)
    assert not result[COLOURS + LAYOUT : COLOURS + LAYOUT + EDGES].any()


def test_halves_share_the_colours_by_area():
    cover = plain(255, 0, 0).copy()
    cover[:, : HEIGHT // 4] = (0, 0, 255)
    assert sorted(described(cover)[:COLOURS])[-2:] == pytest.approx([0.25**0.5, 0.75**0.5])


def test_edge_directions_are_distinguished():
    across, down = edges_of(stripes(across=True)), edges_of(stripes(across=False))
    assert across.argmax() != down.argmax()
    assert np.count_nonzero(across) == np.count_nonzero(down) == 1


def test_formats_differ_by_hundredths():
    manga, novel, tall, flat = describe(plain(0, 0, 0).repeat(4, axis=0), [1.5, 1.42, 1000, 0.001])[
        :, :FORMATS
    ]
    assert manga.argmax() != novel.argmax()
    assert manga.max() > 0.8
    assert np.dot(manga, novel) < 0.5 * np.dot(manga, manga)
    assert not tall.any() | flat.any()


def test_texture_depends_on_lettering_size():
    assert texture(plain(90, 200, 10)).max() < 0.01
    small, large = (
        texture((np.indices((1, HEIGHT, WIDTH, 3)).sum(axis=0) // size % 2 * 255).astype(np.uint8))
        for size in (2, 6)
    )
    assert small.argmax() != large.argmax()
    along, down = texture(stripes(across=True)), texture(stripes(across=False))
    by_wave = [np.append(0, result).reshape(8, 8) for result in (along, down)]  # rows: up and down the cover
    assert by_wave[0][1:, 0].sum() > 0.95 * along.sum()
    assert by_wave[1][0, 1:].sum() > 0.95 * down.sum()


def test_format_and_texture_weigh_as_much_as_the_rest():
    others = SIZE - FORMATS - TEXTURE
    weights = np.split(WEIGHTS**2, [FORMATS, FORMATS + TEXTURE])
    assert [part.sum() for part in weights] == pytest.approx([others] * 3, rel=1e-5)


@given(st.integers(0, 99), st.integers(1, 5))
def test_descriptors_ignore_other_covers(seed, n):
    covers = np.random.default_rng(seed).integers(0, 256, (n, HEIGHT, WIDTH, 3), np.uint8)
    ratios = np.random.default_rng(seed).uniform(0.5, 3, n)
    together = describe(covers, ratios)
    assert together.shape == (n, SIZE)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    for cover, ratio, row in zip(covers, ratios, together, strict=True):
        np.testing.assert_allclose(describe(cover[None], [ratio])[0], row, rtol=1e-5, atol=1e-5)
