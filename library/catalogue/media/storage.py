"""Files that come with books, as the catalogue keeps them: under a name made of what they hold."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from library.errors import LibraryError


class FileRefusedError(LibraryError):
    """The file cannot be kept."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A kept file: its name below MEDIA_ROOT, and whether it was not there before."""

    name: str
    is_new: bool


def read_file(*, folder: Path, name: str, noun: str, most_bytes: int) -> bytes:
    """Return what a file holds.

    Parameters
    ----------
    folder : Path
        Files outside it are refused, whatever way the name or a link leads there.
    name : str
    noun : str
        What a message calls the file, such as "cover"; the folder is named after it.
    most_bytes : int

    Raises
    ------
    FileRefusedError
    """
    try:
        folder = folder.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise FileRefusedError(f"The {noun} lies outside the {noun}s folder.")
        if not path.is_file():
            raise FileRefusedError(f"The {noun}s folder has no such file.")
        size = path.stat().st_size
        if size == 0:
            raise FileRefusedError(f"The {noun} is an empty file.")
        if size > most_bytes:
            raise FileRefusedError(f"The {noun} has {size:,} bytes; {most_bytes:,} are the most.")
        return path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        # A name too long, links in a circle, no permission.
        raise FileRefusedError(f"The {noun} cannot be read ({error}).") from error


def digest_name(*, content: bytes, kind: str, suffix: str) -> str:
    """Return the name below MEDIA_ROOT that is made of a file's SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{kind}/{digest[:2]}/{digest}{suffix}"


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then rename it: no page and no crash shows half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as aside:
        write(Path(aside) / path.name)
        os.replace(Path(aside) / path.name, path)
