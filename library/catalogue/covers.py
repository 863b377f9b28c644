"""Covers as the catalogue keeps them: small JPEG files under a name made of what they were made from."""

import hashlib
import io
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from library.errors import LibraryError

#: What scanners, cameras and the web give. Each further format is a further parser for strangers' bytes
#: (EPS would start Ghostscript).
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
#: 50 megapixels take 150 MB to decode; no scan of a cover needs them.
MOST_PIXELS = 50_000_000
#: Nor a file as large as this.
MOST_BYTES = 50_000_000
#: The classifier sees less, and a page shows no more.
LONG_SIDE = 512

# Pillow only warns of an image between its own bound and twice that; here that is an error like any beyond.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class CoverRefusedError(LibraryError):
    """The file is no cover that can be kept."""


@dataclass(frozen=True, slots=True)
class StoredCover:
    """A kept cover: its name below MEDIA_ROOT, and whether it was not there before."""

    name: str
    is_new: bool


def store_cover(*, folder: Path, name: str, media_root: Path, dry_run: bool = False) -> StoredCover:
    """Keep the image `name` of `folder` as a JPEG of at most 512 pixels a side.

    The name it is kept under is the SHA-256 of the file it was made from, so that a cover that is known is
    neither decoded nor written again.

    Parameters
    ----------
    folder : Path
        Files outside it are refused, whatever way the name or a link leads there.
    name : str
    media_root : Path
    dry_run : bool
        Decode, but write nothing.

    Returns
    -------
    StoredCover

    Raises
    ------
    CoverRefusedError
    """
    content = _content(folder, name)
    digest = hashlib.sha256(content).hexdigest()
    kept = f"covers/{digest[:2]}/{digest}.jpg"
    path = media_root / kept
    if path.exists():
        return StoredCover(kept, is_new=False)
    image = _small(content)
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside, then renamed: a page never shows half an image, nor does a crash leave one.
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            image.save(Path(aside) / path.name, "JPEG", quality=85)
            os.replace(Path(aside) / path.name, path)
    return StoredCover(kept, is_new=True)


def _content(folder: Path, name: str) -> bytes:
    try:
        folder = folder.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise CoverRefusedError("The cover lies outside the covers folder.")
        if not path.is_file():
            raise CoverRefusedError("The covers folder has no such file.")
        size = path.stat().st_size
        if size == 0:
            raise CoverRefusedError("The cover is an empty file.")
        if size > MOST_BYTES:
            raise CoverRefusedError(f"The cover has {size:,} bytes; {MOST_BYTES:,} are the most.")
        return path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        # A name too long, links in a circle, no permission.
        raise CoverRefusedError(f"The cover cannot be read ({error}).") from error


def _small(content: bytes) -> Image.Image:
    too_large = f"The cover has more than {MOST_PIXELS:,} pixels."
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # The header is enough to tell: nothing is decoded yet.
            if image.width * image.height > MOST_PIXELS:
                raise CoverRefusedError(too_large)
            # The colours of a palette cannot be averaged.
            picture = image.convert("RGBA") if image.mode == "P" else image
            picture.thumbnail((LONG_SIDE, LONG_SIDE))
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                page = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(page, upright.convert("RGBA"))
            return upright.convert("RGB")
    except CoverRefusedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CoverRefusedError(too_large) from error
    except UnidentifiedImageError as error:
        raise CoverRefusedError(
            f"The cover is no image of a kind that is read: {', '.join(FORMATS)}."
        ) from error
    except Exception as error:
        # Pillow's decoders answer to damaged files with whatever they stumble over (OSError, SyntaxError,
        # struct.error, IndexError, ...): there is no list of them.
        raise CoverRefusedError(f"The cover is damaged ({error}).") from error
