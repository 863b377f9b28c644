"""Helpers for SQL: chunked queries and counters that several transactions add to."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.db import connection
from django.db.models import Model

Item = TypeVar("Item")

_ROWS_A_QUERY = 300
#: The most keys to name in a statement, for `batches`: SQLite takes at least 999 parameters.
KEYS_A_QUERY = 900


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def add_counts(*, model: type[Model], keys: Sequence[str], rows: Iterable[Sequence[int]]) -> None:
    """Add to the ``count`` of rows, which are made where there are none, within the caller's transaction.

    Parameters
    ----------
    model : type
    keys : sequence of str
        The columns that say which row it is; unique together.
    rows : iterable of sequence of int
        The keys and what to add, in the order of the keys: two who add to the same rows wait for each other
        then, instead of blocking each other.
    """
    table, columns = model._meta.db_table, ", ".join(keys)
    place = f"({', '.join(['%s'] * (len(keys) + 1))})"
    with connection.cursor() as cursor:
        for some in batches(rows, _ROWS_A_QUERY):
            # Django's own update on a conflict does not add.
            cursor.execute(  # the text has nothing of the data in it
                f"INSERT INTO {table} ({columns}, count) VALUES {', '.join([place] * len(some))}"  # noqa: S608
                f" ON CONFLICT ({columns}) DO UPDATE SET count = {table}.count + excluded.count",
                [value for row in some for value in row],
            )
