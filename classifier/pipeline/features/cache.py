"""Features that were computed before, found again by what they were computed from.

One SQLite file of plain bytes. A key is a hash of the content that a value was made of, of the settings
that matter and of the code that made it, so a value is never out of date and never needs to be marked so.
The file may be deleted at any time, by hand or because it is damaged: what is missing is computed again.
Nothing here raises an error. What goes wrong makes the work slower, and is said in the notes.
"""

import hashlib
import inspect
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

MAX_BYTES = 2_000_000_000
"""A million books' words, or pictures of 150,000 covers."""

_FORMAT = 1
_AT_ONCE = 1000  # keys a statement; SQLite takes 32,766
_PATIENCE = 5  # seconds that another process may write before we do without
_ROW_BYTES = 120  # of a value beside its data: its key, four times, and its place
_LEFT_AFTER_PRUNING = 0.8  # of the bytes allowed, so that not every batch has to prune
_TABLES = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS value (key BLOB PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL);
    -- Apart from the values: to note that one was used must not write it again.
    CREATE TABLE IF NOT EXISTS used (key BLOB PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = {_FORMAT};
    COMMIT;
"""


def content_key(*parts: str | bytes) -> bytes:
    """Return the SHA-256 of parts; no other division into parts gives the same."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


def source_key(*modules: ModuleType, versions: Iterable[str] = ()) -> bytes:
    """Return a hash of the code of modules, to put into keys: values of changed code are made anew.

    Parameters
    ----------
    modules : module
        All that decide what the value is.
    versions : iterable of str
        Of the libraries that do.
    """
    return content_key(*map(inspect.getsource, modules), *versions)


class DamagedError(sqlite3.DatabaseError):
    """The file is no cache of this release, or bytes in it have changed."""


class FeatureCache:
    """Values by the hash of what they were made of.

    Threads and processes may share a file. Each call opens it anew, so nothing is held open that someone
    may want to delete, and a process that forks carries nothing over.

    Parameters
    ----------
    path : Path, optional
        The file; it is made when it is needed. Without one nothing is kept.
    max_bytes : int
        Beyond this the values that were not used for longest are deleted.

    Attributes
    ----------
    hits, misses : int
        How many values were found here, and how many had to be made.
    notes : list of str
        What a librarian should know.
    """

    def __init__(self, path: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self.notes: list[str] = []
        self._turn = 0
        self._given_up = path is None

    def remember(
        self, *, keys: Sequence[bytes], items: Sequence[T], make: Callable[[list[T]], Iterable[bytes]]
    ) -> list[bytes]:
        """Return the value of each item; those not known are made, and kept.

        Parameters
        ----------
        keys : sequence of bytes
            Of the items, from `content_key`. The same one may come again.
        items : sequence
            What the values are made of.
        make : callable
            Yields the values of the items it is given, in their order.

        Returns
        -------
        list of bytes
            In the order of the items. To bound the memory, ask for some thousand at a time.
        """
        found = self.get_many(keys)
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in found}
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        if missing:
            made = dict(zip(missing, make(list(missing.values())), strict=True))
            self.put_many(made)
            found |= made
        return [found[key] for key in keys]

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the values that are known, by key."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, bytes] = {}

        def read(database: sqlite3.Connection) -> None:
            found.clear()
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                among = f"key IN ({','.join('?' * len(part))})"
                rows = database.execute(
                    f"SELECT key, checksum, data, turn FROM value JOIN used USING (key) WHERE {among}",  # noqa: S608
                    part,
                ).fetchall()
                if any(_checksum(key, data) != checksum for key, checksum, data, _ in rows):
                    raise DamagedError("a value is not what it was")
                found.update((key, data) for key, _, data, _ in rows)
                if any(turn < self._turn for *_, turn in rows):
                    database.execute(f"UPDATE used SET turn = ? WHERE {among}", [self._turn, *part])  # noqa: S608

        if wanted:
            self._with_database(read)
        return found

    def put_many(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values by key."""

        def write(database: sqlite3.Connection) -> None:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT OR IGNORE INTO value VALUES (?, ?, ?)",
                ((key, _checksum(key, data), data) for key, data in values.items()),
            )
            database.executemany(
                "INSERT OR REPLACE INTO used VALUES (?, ?)", ((key, self._turn) for key in values)
            )
            self._prune(database)
            database.execute("COMMIT")
            # It answers with a row without columns for each page; `execute` would stop at the first.
            database.executescript("PRAGMA incremental_vacuum")

        if values:
            self._with_database(write)

    def _prune(self, database: sqlite3.Connection) -> None:
        """Delete what was not used for longest until there is room again."""
        if (size := _size(database)) <= self.max_bytes:
            return
        excess = size - int(_LEFT_AFTER_PRUNING * self.max_bytes)
        oldest = database.execute(
            "SELECT key, length(data) FROM used JOIN value USING (key) ORDER BY turn, value.rowid"
        )
        gone: list[tuple[bytes]] = []
        for key, length in oldest:
            gone.append((key,))
            excess -= length + _ROW_BYTES
            if excess <= 0:
                break
        database.executemany("DELETE FROM value WHERE key = ?", gone)
        database.executemany("DELETE FROM used WHERE key = ?", gone)

    def _with_database(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do work with the file open. A damaged one is made anew; without any, nothing is done."""
        for attempt in range(2):
            if self.path is None or self._given_up:
                return
            try:
                with closing(_opened(self.path)) as database:
                    (last,) = database.execute("SELECT coalesce(max(turn), 0) FROM used").fetchone()
                    self._turn = self._turn or last + 1
                    work(database)
                return
            except (sqlite3.Error, OSError, TypeError, OverflowError, UnicodeDecodeError) as error:
                if attempt == 0 and _is_damage(error) and self._threw_away(error):
                    continue
                self._given_up = True
                self.notes.append(
                    f"The cache of features {self.path} cannot be used ({error}); features are computed "
                    "anew, which takes longer. It may be deleted."
                )

    def _threw_away(self, error: Exception) -> bool:
        assert self.path is not None
        try:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        self._turn = 0
        self.notes.append(f"The cache of features was damaged ({error}) and is made anew.")
        return True


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # None: a transaction begins where we say so.
    database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        (form,) = database.execute("PRAGMA user_version").fetchone()
        if form == 0:
            database.executescript(_TABLES)
        elif form != _FORMAT:
            raise DamagedError(f"it has format {form}, not {_FORMAT}")
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _is_damage(error: Exception) -> bool:
    """Tell a worthless file from one out of reach: locked, say, or on a full disk, or closed to us."""
    if isinstance(error, (DamagedError, TypeError, OverflowError, UnicodeDecodeError)):  # no number, no text
        return True
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: no such table
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", codes[-1]) in codes


def _checksum(key: bytes, data: bytes) -> int:
    """SQLite notices a changed page by its form only, not by what it holds."""
    return zlib.crc32(data, zlib.crc32(key))


def _size(database: sqlite3.Connection) -> int:
    """Return the bytes in use: pages that were freed are used again first."""
    query = "SELECT (page_count - freelist_count) * page_size FROM "
    pragmas = "pragma_page_count, pragma_freelist_count, pragma_page_size"
    return int(database.execute(query + pragmas).fetchone()[0])
