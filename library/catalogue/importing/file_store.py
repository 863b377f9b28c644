"""Store covers and recordings in parallel, and delete them again if the import fails."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from library.catalogue.media.audio import store_recording
from library.catalogue.media.covers import store_cover
from library.catalogue.media.storage import FileRefusedError, StoredFile
from library.errors import LibraryError
from library.tabular import ImportReport


class NoFolderError(LibraryError):
    """The folder given for covers or recordings does not exist."""


class FileStore:
    """Stores the files named in a column, in threads: decoding images releases the GIL.

    Parameters
    ----------
    column
        Also the field of `Book`.
    noun
        The name of a file in messages.
    store
        `store_cover` or `store_recording`.
    folder
        None: the column is ignored.
    """

    def __init__(
        self,
        *,
        column: str,
        noun: str,
        store: Callable[..., StoredFile],
        folder: Path | None,
        dry_run: bool,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.column = column
        self.noun = noun
        self._store = store
        self._folder = folder
        self._dry_run = dry_run
        self._pool = pool
        self._files: list[Future[StoredFile]] = []
        self._ignored = 0

    def submit(self, values: dict[str, Any]) -> None:
        """Start to store the file that a row names, if any, and put its future into the values."""
        name = values.get(self.column)
        if not name:
            return
        if self._folder is None:
            self._ignored += 1
            del values[self.column]
            return
        media_root = Path(settings.MEDIA_ROOT)
        values[self.column] = self._pool.submit(
            self._store, folder=self._folder, name=name, media_root=media_root, dry_run=self._dry_run
        )
        self._files.append(values[self.column])

    def resolve(self, values: dict[str, Any], *, line: int, report: ImportReport) -> None:
        """Replace the future of `submit` by the stored name; report a refused file."""
        if isinstance(file := values.get(self.column), Future):
            try:
                values[self.column] = file.result().name
            except FileRefusedError as error:
                report.problem(line, self.column, f"{error.message} {_('File skipped.')}")
                del values[self.column]

    def new_files(self) -> set[str]:
        """Wait for all files, and return the names of those that did not exist before."""
        stored = (file.result() for file in self._files if file.exception() is None)
        return {file.name for file in stored if file.is_new}

    def finish(self, report: ImportReport) -> None:
        """Add the counts and warnings to the report."""
        report.add_created(f"{self.noun}s", len(self.new_files()))
        if self._ignored:
            texts = {
                "cover": _("Skipped covers: %s. Specify their folder with --covers."),
                "audio": _("Skipped recordings: %s. Specify their folder with --audio."),
            }
            report.warnings.append(texts[self.column] % self._ignored)


@contextmanager
def file_stores(
    *, beside: Path, covers: Path | None, audio: Path | None, dry_run: bool
) -> Iterator[list[FileStore]]:
    """Open the stores of covers and recordings; if the import fails, delete the files they added.

    Parameters
    ----------
    beside
        The CSV file; the default folders are beside it.

    Raises
    ------
    NoFolderError
    """
    kinds = [
        ("cover", "cover", "covers", store_cover, covers),
        ("audio", "recording", "audio", store_recording, audio),
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stores = [
            FileStore(
                column=column,
                noun=noun,
                store=store,
                folder=_folder(chosen, beside.parent / option, noun),
                dry_run=dry_run,
                pool=pool,
            )
            for column, noun, option, store, chosen in kinds
        ]
        try:
            yield stores
        except BaseException:
            # The transaction rolls back rows, but not files.
            for name in {name for store in stores for name in store.new_files()}:
                (Path(settings.MEDIA_ROOT) / name).unlink(missing_ok=True)
            raise


def _folder(chosen: Path | None, default: Path, noun: str) -> Path | None:
    if chosen is None:
        return default if default.is_dir() else None
    if not chosen.is_dir():
        raise NoFolderError(f"There is no {noun}s folder {chosen}.", folder=str(chosen))
    return chosen
