"""SQL helpers: batches of keys, and counters that concurrent transactions add to."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.db import connection
from django.db.models import Model

Item = TypeVar("Item")

_ROWS_PER_STATEMENT = 300
#: Maximum number of keys in a statement, for `batches`: every SQLite accepts 999 parameters.
KEYS_PER_QUERY = 900


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Split a stream into lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def add_counts(*, model: type[Model], keys: Sequence[str], rows: Iterable[Sequence[int]]) -> None:
    """Add to the ``count`` column of rows, creating missing rows, in the caller's transaction.

    Parameters
    ----------
    keys
        The columns that identify a row; unique together.
    rows
        The keys and the number to add, sorted by the keys: transactions that add to the same rows then wait
        for each other and do not deadlock.
    """
    table, columns = model._meta.db_table, ", ".join(keys)
    placeholders = f"({', '.join(['%s'] * (len(keys) + 1))})"
    with connection.cursor() as cursor:
        for batch in batches(rows, _ROWS_PER_STATEMENT):
            # Django's bulk_create replaces values on a conflict; it cannot add.
            cursor.execute(  # the text contains no data
                f"INSERT INTO {table} ({columns}, count) VALUES {', '.join([placeholders] * len(batch))}"  # noqa: S608
                f" ON CONFLICT ({columns}) DO UPDATE SET count = {table}.count + excluded.count",
                [value for row in batch for value in row],
            )
