"""A folder of files that is there whole or not at all, and of which no byte can change unnoticed.

It is written beside its place and renamed into it. A manifest holds the SHA-256 of every file. What else
lies in the folder is not read: file managers and backups leave files of their own. Who writes or deletes it
locks it for itself, who reads it for all readers, so it is never deleted under a reader.

No numpy here: a web process checks a model's files before it makes that model the active one.
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
FORMAT = 4
"""Of a trained model's files."""
UNFINISHED = ".new-"
"""How the name of a folder begins that is not whole yet."""
DOOMED = ".old-"
"""How the name of a folder begins that is being deleted."""
UNCONFIRMED = "unconfirmed"
"""A file in a new folder until `confirm_folder`: nobody has written down yet that it is wanted."""


def write_folder(folder: Path, files: Mapping[str, bytes], *, form: int = FORMAT) -> None:
    """Write files into a new folder, which is `UNCONFIRMED` then.

    Parameters
    ----------
    folder : Path
    files : mapping of str to bytes
        By name.
    form : int
        The format, which `read_folder` asks for.

    Raises
    ------
    ArtifactError
        If the folder exists already: a stored model never changes.
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
            _write(temporary / MANIFEST, as_json({"format": form, "files": hashes}))
            (temporary / UNCONFIRMED).touch()
            os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def confirm_folder(folder: Path) -> None:
    """Note that a folder is wanted; done again, it changes nothing.

    Raises
    ------
    OSError
        If the disk cannot be written.
    """
    (folder / UNCONFIRMED).unlink(missing_ok=True)


def read_folder(folder: Path, *, form: int = FORMAT) -> dict[str, bytes]:
    """Return every file that the manifest lists, by name, checked against it.

    Raises
    ------
    ArtifactError
        If a file is missing or altered, or the folder is of another format; the file is named.
    """
    try:
        with locked(folder, fcntl.LOCK_SH):
            return _checked(folder, form=form)
    except OSError as error:
        raise ArtifactError(f"{folder.name}/{MANIFEST} is missing or damaged.", file=MANIFEST) from error


def remove_folder(folder: Path) -> bool:
    """Delete a folder unless somebody is reading or writing it; return whether it is gone.

    It is renamed first, so that what a process which is killed meanwhile leaves behind is known for rubbish.

    Raises
    ------
    OSError
        If it cannot be deleted.
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


def _checked(folder: Path, *, form: int) -> dict[str, bytes]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        found, hashes = manifest["format"], manifest["files"]
        names = [Path(name) for name in hashes]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{folder.name}/{MANIFEST} is missing or damaged.", file=MANIFEST) from error
    if found != form:
        raise ArtifactError(f"{folder.name} has format {found}; this release reads {form}.", file=MANIFEST)
    data = {}
    for path, (name, digest) in zip(names, hashes.items(), strict=True):
        if path.name != name:
            raise ArtifactError(f"{MANIFEST} names a file outside the model: {name}.", file=MANIFEST)
        try:
            data[name] = (folder / name).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: no name of a file at all
            raise ArtifactError(f"{folder.name}/{name} is missing or unreadable.", file=name) from error
        if hashlib.sha256(data[name]).hexdigest() != digest:
            raise ArtifactError(f"{folder.name}/{name} has been altered since it was written.", file=name)
    return data


@contextmanager
def reading(folder: Path, name: str) -> Iterator[None]:
    """Name the file at fault, whatever its content makes the code inside stumble over.

    Raises
    ------
    ArtifactError
        In the place of any other error.
    """
    try:
        yield
    except ArtifactError:
        raise
    except Exception as error:
        # Parsers, torch and scikit-learn answer to what does not fit with errors of any kind.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{folder.name}/{name} cannot be used: {reason}", file=name) from error


def as_json(values: Any) -> bytes:
    """Return values as JSON in UTF-8."""
    return json.dumps(values, ensure_ascii=False).encode()


def json_object(content: bytes) -> dict[str, Any]:
    """Return what `as_json` made of a dict.

    Raises
    ------
    ValueError
        If it is no JSON, or no dict.
    """
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object.")
    return values


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Lock a folder, under whatever name it goes; who ends or is killed lets go of it.

    Raises
    ------
    BlockingIOError
        If it is not free and `how` is not to wait.
    OSError
        If it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            raise
        except OSError:
            # A file system without locks: then a reader may find a file missing, which it says.
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
