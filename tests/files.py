"""Files for tests: CSV, images and headers of recordings."""

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image


def write_csv(path: Path, header: str, *rows: Sequence[object]) -> Path:
    """Write a CSV file; `header` contains the column names, separated by commas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


def write_image(
    path: Path, *, size: tuple[int, int] = (60, 90), mode: str = "RGB", colour: object = 0
) -> Path:
    """Write an image of one colour in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


#: The first bytes of recordings, which are all that the catalogue reads.
RECORDINGS = {
    ".wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    ".flac": b"fLaC\0\0\0\x22" + bytes(34),
    ".ogg": b"OggS\0\2" + bytes(30),
}


def write_recording(path: Path) -> Path:
    """Write the header of a recording in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(RECORDINGS[path.suffix])
    return path


def png_header(width: int, height: int) -> bytes:
    """Return a PNG with a header of this size and no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    size = width.to_bytes(4) + height.to_bytes(4)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\0\0\0") + chunk(b"IDAT", zlib.compress(b"\0"))
    )
