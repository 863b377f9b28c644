"""Books found by what somebody typed."""

from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import CharField, Model, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Concat, StrIndex

from library.catalogue.search.query_parser import Where, conditions
from library.catalogue.search.schema import TABLE, backend

Row = TypeVar("Row", bound=Model)

#: So many books a search gives in the order of how well they fit. Nobody reads further; who wants all that
#: match takes another order.
MOST_HITS = 500


def ranked(*, books: QuerySet[Row], text: str) -> list[int]:
    """Return the keys of the books that fit best, the best first.

    A book is as good as the best of the `conditions` it meets; of two that are equally good the one with the
    shorter title comes first, then the one that came first. Where more than `MOST_HITS` books meet the same
    condition, which of them are given is the database's choice.

    Parameters
    ----------
    books : QuerySet
        Books that may be found; its order does not matter.
    text : str
        Whatever was typed.

    Returns
    -------
    list of int
        At most `MOST_HITS`.
    """
    wanted = conditions(text)
    if not wanted:
        return []
    connection = connections[books.db]
    try:
        among, among_params = _among(books, connection)
    except EmptyResultSet:
        return []
    parts, params = [], []
    for place, condition in enumerate(wanted):
        met, met_params = backend(connection).hits(condition, but_for=wanted[:place])
        part = f"SELECT rowid, {place} AS place, title_length FROM {TABLE} WHERE {met}{among}"  # noqa: S608
        parts.append(f"SELECT * FROM ({part} LIMIT {MOST_HITS}) AS part{place}")  # noqa: S608
        params += [*met_params, *among_params]
    # The parts are run one after the other, as far as it takes to have enough.
    with connection.cursor() as cursor:
        cursor.execute(f"{' UNION ALL '.join(parts)} LIMIT {MOST_HITS}", params)
        rows = cursor.fetchall()
    return [pk for _place, _length, pk in sorted((place, length, pk) for pk, place, length in rows)]


def matching(*, books: QuerySet[Row], text: str) -> QuerySet[Row]:
    """Return all books that fit, in the order they are in."""
    # The others find nothing that these do not.
    wanted = [found for found in conditions(text) if found.where in (Where.KEYS, Where.ANYWHERE)]
    if not wanted:
        return books.none()
    met = [backend(connections[books.db]).hits(condition) for condition in wanted]
    inner = " UNION ALL ".join(f"SELECT rowid FROM {TABLE} WHERE {sql}" for sql, _params in met)  # noqa: S608
    params = [param for _sql, params in met for param in params]
    return books.filter(pk__in=RawSQL(inner, params))  # noqa: S611


def in_order(*, books: QuerySet[Row], keys: list[int]) -> QuerySet[Row]:
    """Return the books of these keys, in the order of the keys."""
    place = StrIndex(
        Value("," + "".join(f"{key}," for key in keys)),
        Concat(Value(","), Cast("pk", CharField()), Value(",")),
    )
    return books.filter(pk__in=keys).order_by(place)


def _among(books: QuerySet[Any], connection: Any) -> tuple[str, list[Any]]:
    if not books.query.where:
        return "", []
    sql, params = books.order_by().values("pk").query.get_compiler(connection=connection).as_sql()
    return f" AND rowid IN ({sql})", list(params)
