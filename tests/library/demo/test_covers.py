"""The covers: pictures that open, drawn in the styles of the tables."""

import random

import pytest
from PIL import Image, ImageDraw

from library.demo.books import DemoBook
from library.demo.categories import LEAVES
from library.demo.covers import LAYOUTS, PALETTES, SIZE, STYLES, draw_cover
from library.demo.motifs import MOTIFS


def a_book(**changes) -> DemoBook:
    fields = {
        "id": "demo-0001", "title": "The Quiet Garden", "subtitle": "", "authors": "Fenbek Doritov",
        "publisher": "Sample House", "year": 2001, "language": "en", "isbn": "", "description": "",
        "category": "LIT.POE", "author_latin": "Fenbek Doritov",
    }  # fmt: skip
    return DemoBook(**(fields | changes))


def test_every_cover_decodes_as_a_colour_jpeg(demo):
    for path in demo.covers.iterdir():
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SIZE)
            assert len(image.getcolors(maxcolors=SIZE[0] * SIZE[1])) > 50


def test_every_category_has_two_palettes_motifs_and_layouts():
    assert set(STYLES) == set(LEAVES)
    for styles in STYLES.values():
        for favourites, choices in zip(styles, (PALETTES, MOTIFS, LAYOUTS), strict=True):
            assert len(set(favourites)) == 2
            assert set(favourites) <= set(choices)


def test_palette_is_first_and_second_choice_once():
    first, second = zip(*(palettes for palettes, _, _ in STYLES.values()), strict=True)
    assert sorted(first) == sorted(second) == sorted(PALETTES)


@pytest.mark.parametrize("name", MOTIFS)
def test_motif_draws_in_every_layout(name):
    for layout in LAYOUTS.values():
        left, top, right, bottom = layout.motif
        image = Image.new("RGB", (right - left, bottom - top), "white")
        box = (0, 0, right - left, bottom - top)
        MOTIFS[name](ImageDraw.Draw(image), box, [(200, 0, 0), (0, 0, 200)], random.Random(1))
        assert len(image.getcolors()) >= 2


def test_cover_shows_english_title_or_chinese_author():
    def cover(**changes) -> bytes:
        return draw_cover(rng=random.Random(4), book=a_book(**changes)).tobytes()

    assert cover(title="Another") != cover()
    assert cover(language="zh", title="雪与盐") == cover(language="zh", title="灯")
    assert cover(language="zh", author_latin="Muxing Yuanding") != cover(language="zh")


def test_very_long_title_is_drawn():
    image = draw_cover(rng=random.Random(1), book=a_book(title="Incomprehensibilities " * 40))
    assert image.size == SIZE
