"""Search in PostgreSQL: tsvectors of ready-made tokens, without a text search configuration.

Indexes do not store weights: a search by weight would read every matching row. So the fields that weigh more
have tsvectors of their own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from library.catalogue.search.index_entries import PAIR, Entry
from library.catalogue.search.query_parser import Condition, Token, Where

# A separate table: searches read narrow rows, and queries on books read no tsvectors.
# Every search reads the pending list of an index, so the list is short.
CREATE = [
    """
    CREATE TABLE catalogue_searchentry (
        rowid bigint PRIMARY KEY REFERENCES catalogue_book (id) ON DELETE CASCADE,
        title_length smallint NOT NULL,
        title tsvector NOT NULL,
        names tsvector NOT NULL,
        document tsvector NOT NULL
    ) WITH (toast_tuple_target = 640)  -- long values out of line: searches do not read them again
    """,
    *(
        f"CREATE INDEX catalogue_searchentry_{column} ON catalogue_searchentry USING gin ({column})"
        " WITH (gin_pending_list_limit = 512)"
        for column in ("title", "names", "document")
    ),
]
DROP = ["DROP TABLE catalogue_searchentry"]

_WRITE = """
    INSERT INTO catalogue_searchentry AS kept (rowid, title_length, title, names, document)
    SELECT pk, title_length, title::tsvector, names::tsvector, document::tsvector
    FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::text[], %s::text[])
        AS entries (pk, title_length, title, names, document)
    ON CONFLICT (rowid) DO UPDATE
        SET title_length = excluded.title_length, title = excluded.title, names = excluded.names,
            document = excluded.document
        WHERE (kept.title, kept.names, kept.document) <> (excluded.title, excluded.names, excluded.document)
"""
#: The column of each part of an entry.
_COLUMNS = {Where.KEYS: "title", Where.TITLE: "title", Where.NAMES: "names", Where.ANYWHERE: "document"}


def write(cursor: Any, entries: list[Entry]) -> None:
    """Create or replace entries."""
    rows = []
    for entry in entries:
        names = {*entry.title, *entry.authors}
        document = {*names, *entry.edition, *entry.description}
        positions = [f"'{token}':{position}" for position, token in enumerate(entry.title, start=1)]
        pairs = {_pair(token, following) for token, following in pairwise(entry.title)}
        title = " ".join([*positions, _set({*pairs, *entry.keys})])
        rows.append((entry.pk, len(entry.title), title, _set(names), _set(document)))
    cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])


def match_sql(condition: Condition, *, excluding: Sequence[Condition] = ()) -> tuple[str, list[str]]:
    """Return the SQL condition, and its parameters, for the entries that meet a condition.

    Parameters
    ----------
    excluding
        Skip the entries that meet one of these.
    """
    sql = [f"{_COLUMNS[condition.where]} @@ %s::tsquery"]
    params = [_tsquery(condition)]
    for column in dict.fromkeys(_COLUMNS[other.where] for other in excluding):
        queries = [_tsquery(other) for other in excluding if _COLUMNS[other.where] == column]
        sql.append(f"NOT {column} @@ %s::tsquery")
        params.append(" | ".join(f"({query})" for query in queries))
    return " AND ".join(sql), params


def _tsquery(condition: Condition) -> str:
    joined = (" <-> " if condition.phrase else " & ").join(_lexeme(token) for token in condition.tokens)
    # Indexes do not store positions either: without pairs, a phrase of common words would read very many
    # rows.
    pairs = pairwise(condition.tokens) if condition.phrase else ()
    adjacent = [
        _lexeme(Token(_pair(token.text, following.text), following.is_prefix)) for token, following in pairs
    ]
    return " & ".join([f"({joined})", *adjacent, *(f"'{key}'" for key in condition.keys)])


def _lexeme(token: Token) -> str:
    # Tokens are letters and digits, so they need no escaping.
    return f"'{token.text}'" + (":*" if token.is_prefix else "")


def _pair(token: str, following: str) -> str:
    return f"{PAIR}{token}_{following}"


def _set(tokens: set[str]) -> str:
    return " ".join(f"'{token}'" for token in sorted(tokens))
