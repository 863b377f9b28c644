"""Covers stored by many hands, and taken away again if the import fails."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from library.catalogue.covers import StoredCover, store_cover


class CoverStore:
    """Stores covers on all processors: decoding lets go of the interpreter's lock."""

    def __init__(self, folder: Path | None, dry_run: bool, pool: ThreadPoolExecutor) -> None:
        self.folder = folder
        self._dry_run = dry_run
        self._pool = pool
        self._covers: list[Future[StoredCover]] = []

    def store(self, name: str) -> Future[StoredCover]:
        assert self.folder is not None
        media_root = Path(settings.MEDIA_ROOT)
        future = self._pool.submit(
            store_cover, folder=self.folder, name=name, media_root=media_root, dry_run=self._dry_run
        )
        self._covers.append(future)
        return future

    def new(self) -> set[str]:
        """Return the names of the covers that were not there before; waits for all."""
        stored = (cover.result() for cover in self._covers if cover.exception() is None)
        return {cover.name for cover in stored if cover.is_new}


@contextmanager
def cover_store(folder: Path | None, *, dry_run: bool) -> Iterator[CoverStore]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        store = CoverStore(folder, dry_run, pool)
        try:
            yield store
        except BaseException:
            # The rows are undone by their transaction; files know no such thing.
            for name in store.new():
                (Path(settings.MEDIA_ROOT) / name).unlink(missing_ok=True)
            raise
