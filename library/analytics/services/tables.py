"""Exclusive and set-based writes to the summary tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from library.analytics.models import Statistics


@contextmanager
def exclusive_write() -> Iterator[None]:
    """Open a transaction in which no other process writes the summary tables."""
    with transaction.atomic():
        Statistics.objects.select_for_update().get_or_create(pk=1)
        yield


def insert_rows(*, into: type[Model], columns: tuple[str, ...], rows: QuerySet[Any, Any]) -> None:
    """Insert the rows of a query within the database, which takes a tenth of the time of `bulk_create`.

    Parameters
    ----------
    columns
        Column names in the order of the values of each row.
    rows
        Result of ``values_list``.
    """
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(  # the SQL text contains no data
            f"INSERT INTO {into._meta.db_table} ({', '.join(columns)}) {sql}",
            values,
        )
