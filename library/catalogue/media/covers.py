"""Covers as the catalogue keeps them: small JPEG files under a name made of what they were made from."""

import io
import warnings
from pathlib import Path

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from library.catalogue.media.storage import (
    FileRefusedError,
    StoredFile,
    digest_name,
    read_file,
    write_aside,
)

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


def store_cover(*, folder: Path, name: str, media_root: Path, dry_run: bool = False) -> StoredFile:
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
    StoredFile

    Raises
    ------
    FileRefusedError
    """
    content = read_file(folder=folder, name=name, noun="cover", most_bytes=MOST_BYTES)
    kept = digest_name(content=content, kind="covers", suffix=".jpg")
    path = media_root / kept
    if path.exists():
        return StoredFile(kept, is_new=False)
    jpeg = small_jpeg(content=content)
    if not dry_run:
        write_aside(path, lambda aside: aside.write_bytes(jpeg))
    return StoredFile(kept, is_new=True)


def cover_file(*, name: str, long_side: int, media_root: Path, cache: Path) -> Path:
    """Return the file of a stored cover in a size, made the first time it is asked for.

    It is named by the SHA-256 of the stored cover, so another cover has another file, and any may be deleted.

    Parameters
    ----------
    name : str
        Of the stored cover, below `media_root`.
    long_side : int
        Pixels at most.
    media_root : Path
    cache : Path
        The folder of the files that are made.

    Returns
    -------
    Path

    Raises
    ------
    FileRefusedError
        If there is no such cover any more, or it is none that can be shown.
    """
    content = read_file(folder=media_root, name=name, noun="cover", most_bytes=MOST_BYTES)
    path = cache / digest_name(content=content, kind=str(long_side), suffix=".jpg")
    if not path.exists():
        jpeg = small_jpeg(content=content, long_side=long_side)
        write_aside(path, lambda aside: aside.write_bytes(jpeg))
    return path


def small_jpeg(*, content: bytes, long_side: int = LONG_SIDE) -> bytes:
    """Decode an image and make a small JPEG of it that carries pixels and nothing else.

    Parameters
    ----------
    content : bytes
        A file as strangers send it.
    long_side : int
        Pixels at most.

    Returns
    -------
    bytes
        No larger than that, upright, without what cameras and editors write beside the picture
        (place, owner, comments, thumbnails).

    Raises
    ------
    FileRefusedError
        If it is too large, damaged, or of no kind that is read.
    """
    if len(content) > MOST_BYTES:
        message = _("The cover has %(bytes)s bytes; %(most)s are the most. Save it smaller.")
        raise FileRefusedError(message % {"bytes": f"{len(content):,}", "most": f"{MOST_BYTES:,}"})
    jpeg = io.BytesIO()
    _small(content, long_side).save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()


def _small(content: bytes, long_side: int) -> Image.Image:
    too_large = _("The cover has more than %(most)s pixels. Save it smaller.") % {"most": f"{MOST_PIXELS:,}"}
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # The header is enough to tell: nothing is decoded yet.
            if image.width * image.height > MOST_PIXELS:
                raise FileRefusedError(too_large)
            # The colours of a palette cannot be averaged.
            picture = image.convert("RGBA") if image.mode == "P" else image
            picture.thumbnail((long_side, long_side))
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                page = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(page, upright.convert("RGBA"))
            # A new image, since a copy would bring the comments of the old one along.
            small = Image.new("RGB", upright.size)
            small.paste(upright.convert("RGB"))
            return small
    except FileRefusedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FileRefusedError(too_large) from error
    except UnidentifiedImageError as error:
        message = _("The cover is no image of a kind that is read: %(formats)s. Save it as JPEG or PNG.")
        raise FileRefusedError(message % {"formats": ", ".join(FORMATS)}) from error
    except Exception as error:
        # Pillow's decoders answer to damaged files with whatever they stumble over (OSError, SyntaxError,
        # struct.error, IndexError, ...): there is no list of them.
        message = _("The cover is damaged (%(error)s). Open it in an image editor and save it as JPEG.")
        raise FileRefusedError(message % {"error": error}) from error
