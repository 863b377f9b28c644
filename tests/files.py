"""Files for tests: CSV and images."""

import csv
from collections.abc import Sequence
from pathlib import Path

from PIL import Image


def write_csv(path: Path, header: str, *rows: Sequence[object]) -> Path:
    """Write a CSV file; `header` is the column names with commas between."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


def write_image(
    path: Path, *, size: tuple[int, int] = (60, 90), mode: str = "RGB", colour: object = 0
) -> Path:
    """Write an image of one colour; the suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path
