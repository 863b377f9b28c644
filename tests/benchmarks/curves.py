"""Draw curves in several panels as an SVG picture."""

from collections.abc import Mapping
from html import escape

import numpy as np

WIDTH, HEIGHT, MARGIN = 360, 240, 48
#: Distinguishable by people with colour blindness (Okabe & Ito).
COLOURS = ("#000000", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")


def draw(x: np.ndarray, panels: Mapping[str, Mapping[str, np.ndarray]], *, title: str) -> str:
    """Return a picture with one panel for each metric and one line for each name; all share x."""
    elements = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {(WIDTH + MARGIN) * len(panels) + MARGIN} '
        f'{HEIGHT + 3 * MARGIN}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for number, (metric, curves) in enumerate(panels.items()):
        left = MARGIN + number * (WIDTH + MARGIN)
        elements.append(f'<g transform="translate({left},{MARGIN})">{_panel(x, curves, metric)}</g>')
    for number, name in enumerate(next(iter(panels.values()))):
        colour, at = COLOURS[number % len(COLOURS)], MARGIN + number * 110
        elements.append(
            f'<text x="{at}" y="{HEIGHT + 2.5 * MARGIN:.0f}" fill="{colour}">&#8212; {escape(name)}</text>'
        )
    return "\n".join([*elements, "</svg>\n"])


def _panel(x: np.ndarray, curves: Mapping[str, np.ndarray], metric: str) -> str:
    low, high = min(c.min() for c in curves.values()), max(c.max() for c in curves.values())
    across = (x - x[0]) / max(x[-1] - x[0], 1) * WIDTH
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
        f'<text y="-6">{escape(metric)}</text>',
    ]
    for value in np.linspace(low, high, 5):
        y = _height(value, low, high)
        parts.append(f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    for value, at in zip(x, across, strict=True):
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{value:g}</text>')
    for number, curve in enumerate(curves.values()):
        points = " ".join(f"{a:.1f},{_height(v, low, high):.1f}" for a, v in zip(across, curve, strict=True))
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    return "".join(parts)


def _height(value: float, low: float, high: float) -> float:
    return HEIGHT - (value - low) / max(high - low, 1e-9) * HEIGHT
