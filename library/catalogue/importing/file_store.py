"""Covers and recordings stored by many hands, and taken away again if the import fails."""

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
    """The folder named for the covers or the recordings is not there."""


class FileStore:
    """Stores the files that a column names on all processors: decoding lets go of the interpreter's lock.

    Parameters
    ----------
    column : str
        Also the field of `Book`.
    noun : str
        What messages call a file.
    keep : callable
        `store_cover` or a function like it.
    folder : Path, optional
        Without one names are passed over.
    dry_run : bool
    pool : ThreadPoolExecutor
    """

    def __init__(
        self,
        *,
        column: str,
        noun: str,
        keep: Callable[..., StoredFile],
        folder: Path | None,
        dry_run: bool,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.column = column
        self.noun = noun
        self._keep = keep
        self._folder = folder
        self._dry_run = dry_run
        self._pool = pool
        self._files: list[Future[StoredFile]] = []
        self._passed_over = 0

    def send(self, values: dict[str, Any]) -> None:
        """Begin to store the file that a row's values name, if any; put what will come of it in its place."""
        name = values.get(self.column)
        if not name:
            return
        if self._folder is None:
            self._passed_over += 1
            del values[self.column]
            return
        media_root = Path(settings.MEDIA_ROOT)
        values[self.column] = self._pool.submit(
            self._keep, folder=self._folder, name=name, media_root=media_root, dry_run=self._dry_run
        )
        self._files.append(values[self.column])

    def fetch(self, values: dict[str, Any], *, line: int, report: ImportReport) -> None:
        """Wait for what `send` began, and put the name it is kept under in its place; report a refusal."""
        if isinstance(file := values.get(self.column), Future):
            try:
                values[self.column] = file.result().name
            except FileRefusedError as error:
                report.problem(line, self.column, f"{error.message} {_('Left out.')}")
                del values[self.column]

    def new(self) -> set[str]:
        """Return the names of the files that were not there before; waits for all."""
        stored = (file.result() for file in self._files if file.exception() is None)
        return {file.name for file in stored if file.is_new}

    def finish(self, report: ImportReport) -> None:
        """Count, and say what was passed over."""
        report.add_made(f"{self.noun}s", len(self.new()))
        if self._passed_over:
            texts = {
                "cover": _("%s covers were passed over: name their folder with --covers."),
                "audio": _("%s recordings were passed over: name their folder with --audio."),
            }
            report.warnings.append(texts[self.column] % self._passed_over)


@contextmanager
def file_stores(
    *, beside: Path, covers: Path | None, audio: Path | None, dry_run: bool
) -> Iterator[list[FileStore]]:
    """Open the stores of covers and of recordings; if the import fails, what they stored goes again.

    Parameters
    ----------
    beside : Path
        The CSV file: folders that are not named are looked for beside it.
    covers, audio : Path, optional
    dry_run : bool

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
                keep=keep,
                folder=_folder(named, beside.parent / option, noun),
                dry_run=dry_run,
                pool=pool,
            )
            for column, noun, option, keep, named in kinds
        ]
        try:
            yield stores
        except BaseException:
            # The rows are undone by their transaction; files know no such thing.
            for name in {name for store in stores for name in store.new()}:
                (Path(settings.MEDIA_ROOT) / name).unlink(missing_ok=True)
            raise


def _folder(named: Path | None, usual: Path, noun: str) -> Path | None:
    if named is None:
        return usual if usual.is_dir() else None
    if not named.is_dir():
        raise NoFolderError(f"There is no {noun}s folder {named}.", folder=str(named))
    return named
