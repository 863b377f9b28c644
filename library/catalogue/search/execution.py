"""Run searches."""

from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import CharField, Model, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Concat, StrIndex

from library.catalogue.search.query_parser import Where, parse_query
from library.catalogue.search.schema import TABLE, backend

Row = TypeVar("Row", bound=Model)

#: Maximum number of results ranked by relevance. Lists with another order contain every match.
MAX_HITS = 500


def ranked(*, books: QuerySet[Row], text: str) -> list[int]:
    """Return the keys of the best matches, best first: at most `MAX_HITS`.

    The rank of a book is that of the first condition it meets (see `parse_query`). Ties are ordered by length
    of title, then by key. If more than `MAX_HITS` books meet one condition, the database chooses among them.

    Parameters
    ----------
    books
        The books to search, in any order.
    text
        Untrusted input.
    """
    conditions = parse_query(text)
    if not conditions:
        return []
    connection = connections[books.db]
    try:
        scope, scope_params = _scope(books, connection)
    except EmptyResultSet:
        return []
    parts, params = [], []
    for rank, condition in enumerate(conditions):
        match, match_params = backend(connection).match_sql(condition, excluding=conditions[:rank])
        part = f"SELECT rowid, {rank} AS place, title_length FROM {TABLE} WHERE {match}{scope}"  # noqa: S608
        parts.append(f"SELECT * FROM ({part} LIMIT {MAX_HITS}) AS part{rank}")  # noqa: S608
        params += [*match_params, *scope_params]
    # The database runs the parts in turn until it has enough rows.
    with connection.cursor() as cursor:
        cursor.execute(f"{' UNION ALL '.join(parts)} LIMIT {MAX_HITS}", params)
        rows = cursor.fetchall()
    return [pk for _rank, _length, pk in sorted((rank, length, pk) for pk, rank, length in rows)]


def matching(*, books: QuerySet[Row], text: str) -> QuerySet[Row]:
    """Return all matches, in the order of the queryset."""
    # The other conditions match no further books.
    conditions = [
        condition for condition in parse_query(text) if condition.where in (Where.KEYS, Where.ANYWHERE)
    ]
    if not conditions:
        return books.none()
    matches = [backend(connections[books.db]).match_sql(condition) for condition in conditions]
    inner = " UNION ALL ".join(f"SELECT rowid FROM {TABLE} WHERE {sql}" for sql, _params in matches)  # noqa: S608
    params = [param for _sql, params in matches for param in params]
    return books.filter(pk__in=RawSQL(inner, params))  # noqa: S611


def in_order(*, books: QuerySet[Row], keys: list[int]) -> QuerySet[Row]:
    """Return the books with these keys, in the order of the keys."""
    position = StrIndex(
        Value("," + "".join(f"{key}," for key in keys)),
        Concat(Value(","), Cast("pk", CharField()), Value(",")),
    )
    return books.filter(pk__in=keys).order_by(position)


def _scope(books: QuerySet[Any], connection: Any) -> tuple[str, list[Any]]:
    if not books.query.where:
        return "", []
    sql, params = books.order_by().values("pk").query.get_compiler(connection=connection).as_sql()
    return f" AND rowid IN ({sql})", list(params)
