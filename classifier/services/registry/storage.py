"""Directories of the model versions: location, integrity check, and clean-up.

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
"""Kept without a row: after an old backup of the database was restored, a newer one may follow."""
_OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")  # anything else was put there by a person
_ORPHAN = "without-a-row"
"""A file in an orphan directory, as old as the first clean-up that saw no row."""


def folder_of(*, name: str) -> Path:
    """Return the directory of a version's files."""
    return Path(settings.MODELS_DIR) / name


def check_files(*, version: ModelVersion) -> None:
    """Check a version's files to the byte; raises `DamagedModelError` with the damaged file."""
    try:
        read_folder(folder_of(name=version.name))
    except PipelineError as error:
        raise DamagedModelError(
            f"{error.message} Train again or restore {version.name}.", **error.extra
        ) from error


def remove_files(*, name: str) -> bool:
    """Delete a version's directory unless a process is reading it; return whether it was deleted."""
    try:
        return remove_folder(folder_of(name=name))
    except OSError as error:
        # Leftover files do no harm, and the next clean-up may succeed.
        logger.warning("%s could not be deleted: %s", folder_of(name=name), error)
        return False


@contextmanager
def confirmed(*, name: str) -> Iterator[None]:
    """Lock a version's new directory (else `OSError`) while the block creates the row; then confirm it."""
    try:
        with locked(folder_of(name=name), fcntl.LOCK_SH):
            yield
    except BaseException:
        resolve_unconfirmed(name=name)
        raise
    with suppress(OSError):  # the version is kept all the same, and `clean_up` confirms it later
        confirm_folder(folder_of(name=name))


def resolve_unconfirmed(*, name: str) -> None:
    """Keep or delete a directory whose training was interrupted: it stays if its version was committed.

    The training process cannot know, since the response to a commit is lost with the connection. The database
    does: a version that became active, or belongs to a run that has succeeded, was committed.
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
        return  # a process is writing or reading it: the next time
    except FileNotFoundError:
        return
    remove_files(name=name)


def clean_up() -> None:
    """Delete directories that killed processes left unfinished, and those without a row.

    A directory in use is locked and stays. A complete version without a row is deleted after `ORPHAN_DAYS`; a
    directory not named like a version never.

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
            resolve_unconfirmed(name=folder.name)
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
