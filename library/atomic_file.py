"""Write files atomically: other processes never see half a file, even after a crash."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from library.errors import LibraryError


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, creating its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def open_replacement(path: Path) -> Iterator[IO[str]]:
    """Open a UTF-8 text file that takes its name when the block ends without an error.

    Raises
    ------
    LibraryError
        If it cannot be written; an earlier file is unchanged.
    """
    try:
        with _replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            yield file  # closed before it is renamed
    except OSError as error:
        raise LibraryError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    # In the same folder, because a rename across file systems is not atomic. The folder is private, but the
    # file in it gets the usual permissions, which mkstemp would not give.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)
