"""How the summary tables are written: by one at a time, and within the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from library.analytics.models import Statistics


@contextmanager
def writing_alone() -> Iterator[None]:
    """Open a transaction while which nobody else writes the summary tables."""
    with transaction.atomic():
        Statistics.objects.select_for_update().get_or_create(pk=1)
        yield


def insert_rows(*, into: type[Model], columns: tuple[str, ...], rows: QuerySet[Any, Any]) -> None:
    """Write the rows of a query into a table within the database, which takes a tenth of the time.

    Parameters
    ----------
    into : type of Model
    columns : tuple of str
        What the values of a row are called in the table, in their order.
    rows : QuerySet
        Of ``values_list``.
    """
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(  # the text has nothing of the data in it
            f"INSERT INTO {into._meta.db_table} ({', '.join(columns)}) {sql}",
            values,
        )
