"""Files for people: there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from classifier.errors import ClassifierError


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """Open a text file that takes its name only when all is written.

    Raises
    ------
    ClassifierError
        If it cannot be written; a file that was there before is left as it was.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ClassifierError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(temporary, 0o644)  # mkstemp makes it private; this is the caller's own result
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise ClassifierError(f"{path} cannot be written: {error.strerror}.") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
