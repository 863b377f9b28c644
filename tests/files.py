"""Files for tests: CSV, images and what begins like a recording."""

import csv
import zlib
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


#: How a recording of each kind begins, which is all that the catalogue looks at.
RECORDINGS = {
    ".wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    ".flac": b"fLaC\0\0\0\x22" + bytes(34),
    ".ogg": b"OggS\0\2" + bytes(30),
}


def write_recording(path: Path) -> Path:
    """Write the beginning of a recording; the suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(RECORDINGS[path.suffix])
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and nothing more."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    size = width.to_bytes(4) + height.to_bytes(4)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\0\0\0") + chunk(b"IDAT", zlib.compress(b"\0"))
    )
