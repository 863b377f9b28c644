"""The table of search index entries, which each database implements in its own way."""

from collections.abc import Iterable
from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper

from library.catalogue.search import postgresql, sqlite
from library.catalogue.search.index_entries import BookText, build_entry

TABLE = "catalogue_searchentry"


def backend(connection: BaseDatabaseWrapper) -> ModuleType:
    """Return the module for the database of a connection."""
    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


def create_table(*, connection: BaseDatabaseWrapper) -> None:
    """Create the table and its indexes; the table of books must exist."""
    _execute(connection, backend(connection).CREATE)


def drop_table(*, connection: BaseDatabaseWrapper) -> None:
    """Drop the table, its indexes and its triggers."""
    _execute(connection, backend(connection).DROP)


def write_entries(*, texts: Iterable[BookText], connection: BaseDatabaseWrapper) -> None:
    """Create or replace the entries of books, in the transaction that wrote the books."""
    entries = [build_entry(text) for text in texts]
    if entries:
        with connection.cursor() as cursor:
            backend(connection).write(cursor, entries)


def delete_orphans(*, connection: BaseDatabaseWrapper) -> None:
    """Delete the entries of deleted books, which remain if triggers were disabled."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE} WHERE rowid NOT IN (SELECT id FROM catalogue_book)")  # noqa: S608


def _execute(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
