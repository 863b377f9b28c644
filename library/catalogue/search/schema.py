"""The table of entries, made and written by the kind of database."""

from collections.abc import Iterable
from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper

from library.catalogue.search import postgresql, sqlite
from library.catalogue.search.index_entries import BookText, entry_of

TABLE = "catalogue_searchentry"


def backend(connection: BaseDatabaseWrapper) -> ModuleType:
    """Return what speaks the language of a database."""
    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


def create_table(*, connection: BaseDatabaseWrapper) -> None:
    """Make the table and its indexes; the table of books must be there."""
    _execute(connection, backend(connection).CREATE)


def drop_table(*, connection: BaseDatabaseWrapper) -> None:
    """Take the table away, with what belongs to it."""
    _execute(connection, backend(connection).DROP)


def write_entries(*, texts: Iterable[BookText], connection: BaseDatabaseWrapper) -> None:
    """Write what books are found by, new or anew, in the transaction of whoever wrote the books."""
    entries = [entry_of(text) for text in texts]
    if entries:
        with connection.cursor() as cursor:
            backend(connection).write(cursor, entries)


def forget_gone(*, connection: BaseDatabaseWrapper) -> None:
    """Delete the entries of books that are gone: they stay where triggers were off."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE} WHERE rowid NOT IN (SELECT id FROM catalogue_book)")  # noqa: S608


def _execute(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
