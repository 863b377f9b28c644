"""Atomic, tamper-evident directory of files.

It is written beside its destination and renamed. A manifest holds the SHA-256 of every file; other files
(from file managers, backups) are ignored. Writers and deleters lock it exclusively, readers share a lock, so
it is never deleted while being read.
No numpy here: web processes check a model's files before activating it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from classifier.pipeline.errors import ArtifactError

MANIFEST = "manifest.json"
FORMAT = 6
"""Format of a trained model."""
UNFINISHED = ".new-"
"""Name prefix of an incomplete directory."""
DOOMED = ".old-"
"""Name prefix of a directory being deleted."""
UNCONFIRMED = "unconfirmed"
"""Marker file in a new directory until `confirm_folder`."""


def write_folder(folder: Path, files: Mapping[str, bytes], *, format_version: int = FORMAT) -> None:
    """Write files into a new directory, marked `UNCONFIRMED`.

    Raises
    ------
    ArtifactError
        If it exists: stored models never change.
    OSError
        If the disk is full or not writable; nothing is left behind.
    """
    if folder.exists():
        raise ArtifactError(f"There is a model in {folder.name} already; a stored model never changes.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
    try:
        with locked(temporary, fcntl.LOCK_EX):
            hashes = {name: _write(temporary / name, content) for name, content in files.items()}
            _write(temporary / MANIFEST, as_json({"format": format_version, "files": hashes}))
            (temporary / UNCONFIRMED).touch()
            os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def confirm_folder(folder: Path) -> None:
    """Confirm a directory; idempotent. Raises `OSError` if the disk is not writable."""
    (folder / UNCONFIRMED).unlink(missing_ok=True)


def read_folder(folder: Path, *, format_version: int = FORMAT) -> dict[str, bytes]:
    """Return the verified files by name; raises `ArtifactError` naming one that is missing or altered."""
    try:
        with locked(folder, fcntl.LOCK_SH):
            return _checked(folder, format_version=format_version)
    except OSError as error:
        raise ArtifactError(f"{folder.name}/{MANIFEST} is missing or damaged.", file=MANIFEST) from error


def remove_folder(folder: Path) -> bool:
    """Delete a directory unless it is locked; return whether it is gone.

    It is renamed first, so a killed deletion leaves a recognisable remainder.

    Raises
    ------
    OSError
        If that fails.
    """
    doomed = folder.with_name(DOOMED + folder.name.removeprefix(DOOMED))
    try:
        with locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            os.rename(folder, doomed)
            shutil.rmtree(doomed)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def _checked(folder: Path, *, format_version: int) -> dict[str, bytes]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        found_version, hashes = manifest["format"], manifest["files"]
        names = [Path(name) for name in hashes]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{folder.name}/{MANIFEST} is missing or damaged.", file=MANIFEST) from error
    if found_version != format_version:
        raise ArtifactError(
            f"{folder.name} has format {found_version}; this release reads {format_version}.", file=MANIFEST
        )
    data = {}
    for path, (name, digest) in zip(names, hashes.items(), strict=True):
        if path.name != name:
            raise ArtifactError(f"{MANIFEST} names a file outside the model: {name}.", file=MANIFEST)
        try:
            data[name] = (folder / name).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: an invalid file name
            raise ArtifactError(f"{folder.name}/{name} is missing or unreadable.", file=name) from error
        if hashlib.sha256(data[name]).hexdigest() != digest:
            raise ArtifactError(f"{folder.name}/{name} has been altered since it was written.", file=name)
    return data


@contextmanager
def reading(folder: Path, name: str) -> Iterator[None]:
    """Convert any error into an `ArtifactError` that names the file."""
    try:
        yield
    except ArtifactError:
        raise
    except Exception as error:
        # Parsers, torch and scikit-learn raise all kinds of errors for invalid input.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{folder.name}/{name} cannot be used: {reason}", file=name) from error


def as_json(values: Any) -> bytes:
    """Return values as JSON in UTF-8."""
    return json.dumps(values, ensure_ascii=False).encode()


def json_object(content: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises `ValueError` for any other content."""
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError("it must be a JSON object.")
    return values


@contextmanager
def locked(folder: Path, operation: int) -> Iterator[None]:
    """Lock a directory, whatever its name; the lock ends with the process.

    Raises
    ------
    BlockingIOError
        If it is locked and `operation` is non-blocking.
    OSError
        If it does not open.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            raise
        except OSError:
            # A file system without locks: a reader may then report a missing file.
            pass
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> str:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()
