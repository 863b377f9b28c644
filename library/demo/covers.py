"""Draw covers from shapes, in house styles that correlate with a category without revealing it.

Only Latin letters are drawn: Pillow's built-in font has no others, and other fonts may be missing. The cover
of a Chinese book therefore shows the name of its author in Latin letters.
"""

import colorsys
import functools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from library.demo.books import DemoBook
from library.demo.motifs import MOTIFS, Box, Colour

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SIZE = (200, 300)
SCALE = 2  # drawn at twice the size and reduced, for smooth edges
WIDTH, HEIGHT = SIZE[0] * SCALE, SIZE[1] * SCALE
MARGIN = 32

# Hue, lightness and saturation of background, two shapes and ink.
PALETTES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "wine": ((0.97, 0.25, 0.50), (0.99, 0.45, 0.55), (0.10, 0.75, 0.55), (0.11, 0.93, 0.60)),
    "mist": ((0.55, 0.88, 0.25), (0.56, 0.68, 0.25), (0.62, 0.52, 0.22), (0.60, 0.22, 0.30)),
    "night": ((0.64, 0.13, 0.60), (0.62, 0.35, 0.55), (0.14, 0.72, 0.80), (0.15, 0.92, 0.60)),
    "moss": ((0.27, 0.86, 0.35), (0.31, 0.38, 0.45), (0.22, 0.58, 0.45), (0.33, 0.18, 0.45)),
    "signal": ((0.50, 0.20, 0.70), (0.47, 0.50, 0.75), (0.42, 0.65, 0.60), (0.50, 0.94, 0.40)),
    "steel": ((0.58, 0.80, 0.12), (0.59, 0.42, 0.18), (0.07, 0.52, 0.85), (0.60, 0.18, 0.25)),
    "parchment": ((0.11, 0.82, 0.50), (0.07, 0.38, 0.50), (0.09, 0.58, 0.45), (0.05, 0.18, 0.50)),
    "ledger": ((0.60, 0.94, 0.20), (0.60, 0.40, 0.65), (0.98, 0.48, 0.65), (0.62, 0.20, 0.55)),
    "studio": ((0.13, 0.93, 0.30), (0.80, 0.45, 0.45), (0.48, 0.48, 0.50), (0.75, 0.18, 0.30)),
    "paprika": ((0.05, 0.54, 0.80), (0.02, 0.45, 0.75), (0.13, 0.75, 0.85), (0.12, 0.96, 0.60)),
}

# The favourite palettes, motifs and layouts of a category, best first. A palette is the first choice of one
# category and the second of another, from a different branch than the one its texts resemble.
STYLES: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "LIT.NOV": (("wine", "parchment"), ("mountains", "facade"), ("foot", "label")),
    "LIT.POE": (("mist", "studio"), ("waves", "leaves"), ("frame", "banner")),
    "SCI.AST": (("night", "signal"), ("stars", "plates"), ("label", "foot")),
    "SCI.BIO": (("moss", "mist"), ("leaves", "waves"), ("banner", "frame")),
    "TEC.COM": (("signal", "ledger"), ("circuit", "bars"), ("stripe", "banner")),
    "TEC.ENG": (("steel", "night"), ("facade", "arches"), ("banner", "stripe")),
    "SOC.HIS": (("parchment", "wine"), ("arches", "mountains"), ("frame", "label")),
    "SOC.ECO": (("ledger", "steel"), ("bars", "circuit"), ("stripe", "foot")),
    "ART.VIS": (("studio", "paprika"), ("strokes", "stars"), ("label", "stripe")),
    "ART.COO": (("paprika", "moss"), ("plates", "strokes"), ("foot", "frame")),
}
FIRST, SECOND = 0.62, 0.14  # probabilities of the favourites; otherwise any


class Layout(NamedTuple):
    """The boxes of motif and text; a panel in the background colour carries the text."""

    motif: Box
    text: Box
    panel: Box | None


LAYOUTS = {
    "banner": Layout((0, 230, WIDTH, HEIGHT), (MARGIN, 28, WIDTH - MARGIN, 214), None),
    "foot": Layout((0, 0, WIDTH, 390), (MARGIN, 404, WIDTH - MARGIN, 572), None),
    "label": Layout((0, 0, WIDTH, HEIGHT), (72, 168, 328, 388), (52, 148, 348, 408)),
    "frame": Layout((70, 250, 330, 540), (56, 62, 344, 232), None),
    "stripe": Layout((0, 0, 128, HEIGHT), (150, 60, WIDTH - 20, 400), None),
}


def draw_cover(*, rng: random.Random, book: DemoBook) -> "Image":
    """Draw the cover of a book as an RGB image of `SIZE` pixels.

    The category biases the style. The cover shows the title or, for a Chinese book, the author.
    """
    # Imported here: web processes import this package, but draw nothing.
    from PIL import Image, ImageDraw

    palettes, motifs, layouts = STYLES[book.category]
    background, *shapes, ink = _colours(rng=rng, palette=_favourite(rng, palettes, tuple(PALETTES)))
    motif = MOTIFS[_favourite(rng, motifs, tuple(MOTIFS))]
    name = _favourite(rng, layouts, tuple(LAYOUTS))
    layout = LAYOUTS[name]

    image = Image.new("RGB", (WIDTH, HEIGHT), background)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = layout.motif
    picture = Image.new("RGB", (right - left, bottom - top), background)
    motif(ImageDraw.Draw(picture), (0, 0, right - left, bottom - top), shapes, rng)
    image.paste(picture, (left, top))
    if layout.panel:
        draw.rectangle(layout.panel, fill=background, outline=ink, width=4)
    if name == "frame":
        draw.rectangle((24, 24, WIDTH - 24, HEIGHT - 24), outline=ink, width=4)
        draw.rectangle((34, 34, WIDTH - 34, HEIGHT - 34), outline=shapes[0], width=2)
    if name == "stripe":
        _mark(draw=draw, centre=(WIDTH - 56, HEIGHT - 56), colours=shapes)
    _write_text(draw=draw, box=layout.text, book=book, ink=ink, centred=name in ("label", "frame"))
    # The fold of the binding, slightly darker.
    fold = Image.new("L", image.size, 0)
    ImageDraw.Draw(fold).rectangle((10, 0, 15, HEIGHT), fill=40)
    image.paste((0, 0, 0), mask=fold)
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def save_cover(*, rng: random.Random, book: DemoBook, path: Path) -> None:
    """Draw the cover of a book and save it as JPEG."""
    draw_cover(rng=rng, book=book).save(path, "JPEG", quality=88)


def _favourite(rng: random.Random, favourites: Sequence[str], choices: Sequence[str]) -> str:
    chance = rng.random()
    if chance < FIRST:
        return favourites[0]
    if chance < FIRST + SECOND:
        return favourites[1]
    return rng.choice(choices)


def _colours(*, rng: random.Random, palette: str) -> list[Colour]:
    turn, light = rng.gauss(0, 0.025), rng.gauss(0, 0.03)
    colours = []
    for hue, lightness, saturation in PALETTES[palette]:
        lightness = min(max(lightness + light, 0.05), 0.97)
        red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def _mark(*, draw: "ImageDraw", centre: tuple[int, int], colours: list[Colour]) -> None:
    x, y = centre
    draw.ellipse((x - 26, y - 26, x + 26, y + 26), outline=colours[0], width=5)
    draw.ellipse((x - 13, y - 13, x + 13, y + 13), fill=colours[1])


def _write_text(*, draw: "ImageDraw", box: Box, book: DemoBook, ink: Colour, centred: bool) -> None:
    left, top, right, bottom = box
    title = book.author_latin.upper() if book.language == "zh" else book.title
    author = str(book.year) if book.language == "zh" else book.author_latin
    small = _font(21)
    for size in (50, 44, 38, 34, 30, 26, 22):
        font = _font(size)
        lines = _wrap(title, font=font, width=right - left)
        if len(lines) * size * 1.15 <= bottom - top - 48 and max(map(font.getlength, lines)) <= right - left:
            break
    y = top + (bottom - top - len(lines) * size * 1.15 - 40) / 2 if centred else float(top)
    for line in lines:
        x = left + (right - left - font.getlength(line)) / 2 if centred else left
        draw.text((x, y), line, fill=ink, font=font)
        y += size * 1.15
    x = left + (right - left - small.getlength(author)) / 2 if centred else left
    draw.text((x, y + 14), author, fill=ink, font=small)


def _wrap(text: str, *, font: "FreeTypeFont", width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@functools.cache
def _font(size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)  # type: ignore[return-value]
