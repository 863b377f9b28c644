"""Content-addressed cache of computed features.

One SQLite file, which may be deleted at any time. A key hashes the content, the relevant settings and the
code, so entries are never stale. Nothing here raises: problems cost time and are reported in the notes.
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
"""Words of a million books, or descriptors of 150,000 covers."""

_FORMAT = 1
_KEYS_PER_QUERY = 1000  # SQLite accepts 32,766
_LOCK_TIMEOUT = 5  # seconds
_ROW_BYTES = 120  # overhead of a value: its key, four times, and its position
_PRUNE_TO = 0.8  # of max_bytes, so that not every write prunes
_TABLES = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS value (key BLOB PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL);
    -- A separate table: marking a value as used must not rewrite the value.
    CREATE TABLE IF NOT EXISTS used (key BLOB PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = {_FORMAT};
    COMMIT;
"""


def content_key(*parts: str | bytes) -> bytes:
    """Return the SHA-256 of the parts; another division into parts gives another key."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


def source_key(*modules: ModuleType, versions: Iterable[str] = ()) -> bytes:
    """Return a hash of the source code and library versions that determine a value."""
    return content_key(*map(inspect.getsource, modules), *versions)


class DamagedError(sqlite3.DatabaseError):
    """The file is not a cache of this release, or its bytes have changed."""


class FeatureCache:
    """Values by content hash, shared by threads and processes.

    Every call opens the file again, so it can be deleted at any time and survives a fork.

    Parameters
    ----------
    path
        Created on demand; None: store nothing.
    max_bytes
        Beyond this the least recently used values are deleted.

    Attributes
    ----------
    hits, misses
        Values found and values computed.
    """

    def __init__(self, path: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self.notes: list[str] = []
        self._turn = 0
        self._disabled = path is None

    def get_or_compute(
        self, *, keys: Sequence[bytes], items: Sequence[T], compute: Callable[[list[T]], Iterable[bytes]]
    ) -> list[bytes]:
        """Return the value of each item in order; compute and store missing ones.

        Pass a few thousand items at a time to bound the memory.

        Parameters
        ----------
        keys
            From `content_key`; may repeat.
        compute
            Yields the values of the given items in order.
        """
        values = self.get_many(keys)
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in values}
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        if missing:
            computed = dict(zip(missing, compute(list(missing.values())), strict=True))
            self.put_many(computed)
            values |= computed
        return [values[key] for key in keys]

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the stored values, by key."""
        wanted = list(dict.fromkeys(keys))
        values: dict[bytes, bytes] = {}

        def read(database: sqlite3.Connection) -> None:
            values.clear()
            for start in range(0, len(wanted), _KEYS_PER_QUERY):
                part = wanted[start : start + _KEYS_PER_QUERY]
                condition = f"key IN ({','.join('?' * len(part))})"
                rows = database.execute(
                    f"SELECT key, checksum, data, turn FROM value JOIN used USING (key) WHERE {condition}",  # noqa: S608
                    part,
                ).fetchall()
                if any(_checksum(key, data) != checksum for key, checksum, data, _ in rows):
                    raise DamagedError("a checksum does not match")
                values.update((key, data) for key, _, data, _ in rows)
                if any(turn < self._turn for *_, turn in rows):
                    database.execute(f"UPDATE used SET turn = ? WHERE {condition}", [self._turn, *part])  # noqa: S608

        if wanted:
            self._with_database(read)
        return values

    def put_many(self, values: Mapping[bytes, bytes]) -> None:
        """Store values by key."""

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
            # The pragma returns an empty row per page; `execute` would stop at the first.
            database.executescript("PRAGMA incremental_vacuum")

        if values:
            self._with_database(write)

    def _prune(self, database: sqlite3.Connection) -> None:
        if (size := _size(database)) <= self.max_bytes:
            return
        excess = size - int(_PRUNE_TO * self.max_bytes)
        oldest = database.execute(
            "SELECT key, length(data) FROM used JOIN value USING (key) ORDER BY turn, value.rowid"
        )
        deleted: list[tuple[bytes]] = []
        for key, length in oldest:
            deleted.append((key,))
            excess -= length + _ROW_BYTES
            if excess <= 0:
                break
        database.executemany("DELETE FROM value WHERE key = ?", deleted)
        database.executemany("DELETE FROM used WHERE key = ?", deleted)

    def _with_database(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run `work` with the file open. Recreate a damaged file; do nothing without a usable one."""
        for attempt in range(2):
            if self.path is None or self._disabled:
                return
            try:
                with closing(_open(self.path)) as database:
                    (last,) = database.execute("SELECT coalesce(max(turn), 0) FROM used").fetchone()
                    self._turn = self._turn or last + 1
                    work(database)
                return
            except (sqlite3.Error, OSError, TypeError, OverflowError, UnicodeDecodeError) as error:
                if attempt == 0 and _is_damage(error) and self._delete_damaged(error):
                    continue
                self._disabled = True
                self.notes.append(
                    f"The feature cache {self.path} cannot be used ({error}). Features are recomputed, "
                    "which takes longer. You can delete the file."
                )

    def _delete_damaged(self, error: Exception) -> bool:
        assert self.path is not None
        try:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        self._turn = 0
        self.notes.append(f"The feature cache was damaged ({error}) and has been recreated.")
        return True


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # None: transactions begin explicitly.
    database = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            database.executescript(_TABLES)
        elif version != _FORMAT:
            raise DamagedError(f"it has format {version}, not {_FORMAT}")
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _is_damage(error: Exception) -> bool:
    """Return whether the file is worthless, as opposed to out of reach (locked, disk full, no permission)."""
    if isinstance(error, (DamagedError, TypeError, OverflowError, UnicodeDecodeError)):  # wrong column types
        return True
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: no such table
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", codes[-1]) in codes


def _checksum(key: bytes, data: bytes) -> int:
    """Return a CRC: SQLite detects malformed pages, not changed content."""
    return zlib.crc32(data, zlib.crc32(key))


def _size(database: sqlite3.Connection) -> int:
    """Return the bytes in use, without freed pages, which are reused first."""
    query = "SELECT (page_count - freelist_count) * page_size FROM "
    pragmas = "pragma_page_count, pragma_freelist_count, pragma_page_size"
    return int(database.execute(query + pragmas).fetchone()[0])
