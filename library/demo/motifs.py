"""Motifs of the demo's covers. Each fills a box with shapes in the given colours."""

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]
Motif = Callable[["ImageDraw", Box, list[Colour], random.Random], None]


def waves(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    rows = rng.randint(4, 7)
    height, length = (bottom - top) / rows, (right - left) / rng.uniform(1.2, 2.6)
    for row in range(rows):
        phase = rng.uniform(0, 2 * math.pi)
        crest = [
            (x, top + (row + 0.55) * height + height * 0.4 * math.sin(phase + 2 * math.pi * x / length))
            for x in range(left, right + 8, 8)
        ]
        draw.polygon([*crest, (right, bottom), (left, bottom)], fill=colours[row % len(colours)])


def stars(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    points = [(rng.uniform(left, right), rng.uniform(top, bottom)) for _ in range(rng.randint(45, 80))]
    draw.line(points[:6], fill=colours[-1], width=2)
    for number, (x, y) in enumerate(points):
        radius = rng.uniform(6, 11) if number < 6 else rng.uniform(1, 4)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[number % len(colours)])


def leaves(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    for stem in range(rng.randint(3, 5)):
        x, lean = rng.uniform(left + 30, right - 30), rng.uniform(-0.25, 0.25)
        height = (bottom - top) * rng.uniform(0.6, 0.95)
        colour = colours[stem % len(colours)]
        draw.line((x, bottom, x + lean * height, bottom - height), fill=colour, width=5)
        for pair in range(7):
            y = bottom - height * (0.2 + pair * 0.13)
            foot, size = x + lean * (bottom - y), 54 - pair * 5
            for side in (-1, 1):
                tip = (foot + side * size, y - size * 0.6)
                draw.polygon([(foot, y), (foot + side * size * 0.3, y - size * 0.65), tip,
                              (foot + side * size * 0.65, y - size * 0.05)], fill=colour)  # fmt: skip


def circuit(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    step = rng.choice((32, 40))
    for line in range(rng.randint(16, 24)):
        x, y = rng.randrange(left, right, step), rng.randrange(top, bottom, step)
        colour, points = colours[line % len(colours)], [(x, y)]
        for _ in range(4):
            along = step * rng.randint(-3, 3)
            x, y = (
                (min(max(x + along, left), right), y)
                if len(points) % 2
                else (x, min(max(y + along, top), bottom))
            )
            points.append((x, y))
        draw.line(points, fill=colour, width=5, joint="curve")
        for end in (points[0], points[-1]):
            draw.ellipse((end[0] - 8, end[1] - 8, end[0] + 8, end[1] + 8), fill=colour)


def arches(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    columns = rng.randint(2, 4)
    width = (right - left) / columns
    for column in range(columns):
        x = left + column * width
        for ring, inset in enumerate((0.06, 0.2, 0.34)):
            edge, crown = width * inset, top + (bottom - top) * inset
            radius = width / 2 - edge
            fill = colours[(column + ring) % len(colours)]
            draw.rectangle((x + edge, crown + radius, x + width - edge, bottom), fill=fill)
            draw.pieslice((x + edge, crown, x + width - edge, crown + 2 * radius), 180, 360, fill=fill)


def bars(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    count = rng.randint(6, 10)
    width = (right - left) / count
    rise = rng.choice((-1, 1))
    tops = []
    for bar in range(count):
        level = 0.5 + rise * (bar / count - 0.5) * 0.7 + rng.uniform(-0.15, 0.15)
        y = bottom - (bottom - top) * min(max(level, 0.08), 0.95)
        draw.rectangle(
            (left + bar * width + 4, y, left + (bar + 1) * width - 4, bottom),
            fill=colours[bar % len(colours)],
        )
        tops.append((left + (bar + 0.5) * width, y - 14))
    draw.line(tops, fill=colours[-1], width=6, joint="curve")


def strokes(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    for stroke in range(rng.randint(5, 8)):
        x, y = rng.uniform(left, right), rng.uniform(top, bottom)
        angle, bend, colour = (
            rng.uniform(0, math.pi),
            rng.uniform(-0.05, 0.05),
            colours[stroke % len(colours)],
        )
        size = rng.uniform(18, 40)
        for dot in range(38):
            radius = size * (1 - dot / 48)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
            x, y, angle = x + 6 * math.cos(angle), y + 6 * math.sin(angle), angle + bend
            x, y = min(max(x, left), right), min(max(y, top), bottom)


def plates(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    for plate in range(rng.randint(3, 6)):
        radius = rng.uniform(0.15, 0.36) * min(right - left, bottom - top)
        x, y = rng.uniform(left + radius, right - radius), rng.uniform(top + radius, bottom - radius)
        for ring, part in enumerate((1, 0.78, 0.42)):
            r = radius * part
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[(plate + ring) % len(colours)])


def mountains(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    sun, x = (right - left) * rng.uniform(0.08, 0.15), rng.uniform(left + 60, right - 60)
    draw.ellipse((x - sun, top + 10, x + sun, top + 10 + 2 * sun), fill=colours[-1])
    ranges = rng.randint(3, 4)
    for row in range(ranges):
        base = top + (bottom - top) * (0.25 + 0.6 * row / ranges)
        ridge = [
            (left + (right - left) * i / 8, base + rng.uniform(-0.14, 0.14) * (bottom - top))
            for i in range(9)
        ]
        draw.polygon([*ridge, (right, bottom), (left, bottom)], fill=colours[row % len(colours)])


def facade(draw: "ImageDraw", box: Box, colours: list[Colour], rng: random.Random) -> None:
    left, top, right, bottom = box
    columns, rows = rng.randint(3, 5), rng.randint(3, 6)
    width, height = (right - left) / columns, (bottom - top) / rows
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * width, top + row * height
            fill = rng.choice(colours)
            draw.rectangle(
                (x + width * 0.14, y + height * 0.14, x + width * 0.86, y + height * 0.86), fill=fill
            )


MOTIFS: dict[str, Motif] = {
    motif.__name__: motif
    for motif in (waves, stars, leaves, circuit, arches, bars, strokes, plates, mountains, facade)
}
