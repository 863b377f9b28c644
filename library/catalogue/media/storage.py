"""Files of books, stored under names that are derived from their content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from library.errors import LibraryError


class FileRefusedError(LibraryError):
    """The file cannot be stored."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file: its name below MEDIA_ROOT, and if it did not exist before."""

    name: str
    is_new: bool


def read_file(*, folder: Path, name: str, noun: str, max_bytes: int) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    folder
        Files outside it are refused, also through links.
    noun
        The name of the file and its folder in messages, such as "cover".

    Raises
    ------
    FileRefusedError
    """
    try:
        folder = folder.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise FileRefusedError(f"The {noun} is outside the {noun}s folder.")
        if not path.is_file():
            raise FileRefusedError(f"The {noun}s folder has no such file.")
        size = path.stat().st_size
        if size == 0:
            raise FileRefusedError(f"The {noun} is an empty file.")
        if size > max_bytes:
            raise FileRefusedError(f"The {noun} has {size:,} bytes; the limit is {max_bytes:,}.")
        return path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        # For example a name that is too long, circular links, or missing permissions.
        raise FileRefusedError(f"The {noun} cannot be read ({error}).") from error


def digest_name(*, content: bytes, kind: str, suffix: str) -> str:
    """Return the name of a file below MEDIA_ROOT, derived from its SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{kind}/{digest[:2]}/{digest}{suffix}"
