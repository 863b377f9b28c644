"""The directories of the models: where they are, whether they are whole, and what lies there for nothing.

No torch and no numpy here: the admin promotes and rolls back in a web process.
"""

import fcntl
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from classifier.errors import DamagedModelError
from classifier.models import ModelVersion, Run
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.storage.sealed_directory import (
    DOOMED,
    MANIFEST,
    UNCONFIRMED,
    UNFINISHED,
    confirm_folder,
    locked,
    read_folder,
    remove_folder,
)

logger = logging.getLogger(__name__)

ORPHAN_DAYS = 7
"""How long a directory without a row is kept: after an older copy of the database was restored, there is time
to restore a newer one."""
_OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")  # what else lies there, people have put there
_ORPHAN = "without-a-row"
"""A file in an orphan directory; its time says since when it is one."""


def folder_of(*, name: str) -> Path:
    """Return where a version's files are."""
    return Path(settings.MODELS_DIR) / name


def check_files(*, version: ModelVersion) -> None:
    """Make sure that a version's files are there, of this release's format, and unaltered to the byte.

    Raises
    ------
    DamagedModelError
        With the file at fault.
    """
    try:
        read_folder(folder_of(name=version.name))
    except PipelineError as error:
        raise DamagedModelError(
            f"{error.message} Train again or restore {version.name}.", **error.extra
        ) from error


def remove_files(*, name: str) -> bool:
    """Delete a version's directory unless a process is just reading it; return whether it is gone."""
    try:
        return remove_folder(folder_of(name=name))
    except OSError as error:
        # Its files are no more than a nuisance, and the next time may find the disk in order.
        logger.warning("%s could not be deleted: %s", folder_of(name=name), error)
        return False


@contextmanager
def confirmed(*, name: str) -> Iterator[None]:
    """Hold on to a version's new directory while the block writes down what it is; let go of it then.

    Raises
    ------
    OSError
        If the directory is not there.
    """
    try:
        with locked(folder_of(name=name), fcntl.LOCK_SH):
            yield
    except BaseException:
        settle(name=name)
        raise
    with suppress(OSError):  # the version is kept all the same, and `tidy` comes here again
        confirm_folder(folder_of(name=name))


def settle(*, name: str) -> None:
    """Decide about a directory whose maker did not come to the end: it stays if its version was kept.

    The maker itself cannot know: the answer to a commit is lost with the connection. The database does: what
    became active, or is the work of a run that has succeeded, was committed.
    """
    folder = folder_of(name=name)
    try:
        with locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            versions = ModelVersion.objects.filter(name=name)
            # The row first: without the database neither is deleted, and both still fit together.
            undecided = versions.filter(state=ModelVersion.State.CANDIDATE)
            undecided.exclude(trained_by__status=Run.Status.SUCCEEDED).delete()
            if versions.exists():
                confirm_folder(folder)
                return
    except BlockingIOError:
        return  # its maker is at it, or somebody reads it: the next time
    except FileNotFoundError:
        return
    remove_files(name=name)


def tidy() -> None:
    """Delete what killed processes left half written, half kept or half deleted, and what no row knows.

    What another process is just writing or reading is locked by it, and left alone. A directory without a
    row that was kept once is given `ORPHAN_DAYS`; one that is not named like a version is left for ever.

    Raises
    ------
    OSError
        If the disk cannot be read or written.
    """
    home = Path(settings.MODELS_DIR)
    kept = set(ModelVersion.objects.filter(pruned_at=None).values_list("name", flat=True))
    pruned = set(ModelVersion.objects.exclude(pruned_at=None).values_list("name", flat=True))
    for folder in sorted(home.iterdir()) if home.is_dir() else []:
        if folder.name.startswith((UNFINISHED, DOOMED)) or folder.name in pruned:
            remove_folder(folder)
        elif (folder / UNCONFIRMED).is_file():
            settle(name=folder.name)
        elif folder.name in kept:
            (folder / _ORPHAN).unlink(missing_ok=True)
        elif _OURS.fullmatch(folder.name) and (folder / MANIFEST).is_file():
            _age_orphan(folder)


def _age_orphan(folder: Path) -> None:
    mark = folder / _ORPHAN
    if not mark.exists():
        mark.touch()
    elif time.time() - mark.stat().st_mtime > ORPHAN_DAYS * 86_400:
        logger.warning("%s has had no row for %s days and is deleted", folder, ORPHAN_DAYS)
        remove_folder(folder)
