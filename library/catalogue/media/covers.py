"""Storage of covers: small JPEG files, named after the SHA-256 of the original."""

import io
import warnings
from pathlib import Path

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from library.atomic_file import replace_file
from library.catalogue.media.storage import (
    FileRefusedError,
    StoredFile,
    digest_name,
    read_file,
)

#: The formats of scanners, cameras and the web. Every further format is another parser of untrusted bytes
#: (EPS would start Ghostscript).
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
#: Decoding 50 megapixels takes 150 MB; no cover scan needs more.
MAX_PIXELS = 50_000_000
MAX_BYTES = 50_000_000
#: Pixels. Pages show no larger cover, and the classifier reduces it further.
LONG_SIDE = 512

# Pillow only warns about images between its limit and twice that; here that is an error too.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def store_cover(*, folder: Path, name: str, media_root: Path, dry_run: bool = False) -> StoredFile:
    """Store the image `name` of `folder` as a JPEG of at most 512 pixels a side.

    Its name is the SHA-256 of the original, so a cover that is stored already is neither decoded nor written
    again.

    Parameters
    ----------
    folder
        Files outside it are refused, also through links.
    dry_run
        Decode, but write nothing.

    Raises
    ------
    FileRefusedError
    """
    content = read_file(folder=folder, name=name, noun="cover", max_bytes=MAX_BYTES)
    stored_name = digest_name(content=content, kind="covers", suffix=".jpg")
    path = media_root / stored_name
    if path.exists():
        return StoredFile(stored_name, is_new=False)
    jpeg = small_jpeg(content=content)
    if not dry_run:
        replace_file(path, jpeg)
    return StoredFile(stored_name, is_new=True)


def cover_file(*, name: str, long_side: int, media_root: Path, cache: Path) -> Path:
    """Return a stored cover in a size, creating the file on first use.

    The file is named after the SHA-256 of the stored cover: a new cover gets a new file, and any file may be
    deleted.

    Parameters
    ----------
    name
        Path of the stored cover below `media_root`.
    long_side
        Maximum, in pixels.
    cache
        Folder of the created files.

    Raises
    ------
    FileRefusedError
        If the cover no longer exists or is damaged.
    """
    content = read_file(folder=media_root, name=name, noun="cover", max_bytes=MAX_BYTES)
    path = cache / digest_name(content=content, kind=str(long_side), suffix=".jpg")
    if not path.exists():
        jpeg = small_jpeg(content=content, long_side=long_side)
        replace_file(path, jpeg)
    return path


def small_jpeg(*, content: bytes, long_side: int = LONG_SIDE) -> bytes:
    """Convert an image to a small upright JPEG without metadata (place, owner, comments, thumbnails).

    Parameters
    ----------
    content
        An untrusted file.
    long_side
        Maximum, in pixels.

    Raises
    ------
    FileRefusedError
        If it is too large, damaged, or in an unsupported format.
    """
    if len(content) > MAX_BYTES:
        message = _("The cover is too large (%(bytes)s bytes; maximum %(most)s). Save it as a smaller file.")
        raise FileRefusedError(message % {"bytes": f"{len(content):,}", "most": f"{MAX_BYTES:,}"})
    jpeg = io.BytesIO()
    _small(content, long_side).save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()


def _small(content: bytes, long_side: int) -> Image.Image:
    too_large = _("The cover has more than %(most)s pixels. Resize it and try again.") % {
        "most": f"{MAX_PIXELS:,}"
    }
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # From the header: nothing is decoded yet.
            if image.width * image.height > MAX_PIXELS:
                raise FileRefusedError(too_large)
            # Palette colours cannot be averaged.
            picture = image.convert("RGBA") if image.mode == "P" else image
            picture.thumbnail((long_side, long_side))
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                page = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(page, upright.convert("RGBA"))
            # A new image: a copy would keep the comments of the original.
            small = Image.new("RGB", upright.size)
            small.paste(upright.convert("RGB"))
            return small
    except FileRefusedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FileRefusedError(too_large) from error
    except UnidentifiedImageError as error:
        message = _("The cover is not in a supported image format (%(formats)s). Save it as JPEG or PNG.")
        raise FileRefusedError(message % {"formats": ", ".join(FORMATS)}) from error
    except Exception as error:
        # Pillow's decoders raise many types for damaged files (OSError, SyntaxError, struct.error,
        # IndexError, ...), and documents no list of them.
        message = _("The cover is damaged (%(error)s). Open it in an image editor and save it as JPEG.")
        raise FileRefusedError(message % {"error": error}) from error
