"""Search in PostgreSQL: tsvectors made of tokens that are ready, so by no text search configuration.

An index knows no weights: to ask for them, each row would be read, whatever it turns out to weigh. So what
weighs more has a tsvector of its own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from library.catalogue.search.index_entries import PAIR, Entry
from library.catalogue.search.query_parser import Condition, Token, Where

# A table of its own: searching reads narrow rows, and reading books reads no tsvector.
# The pending list of an index is read by every search, so it is kept short.
CREATE = [
    """
    CREATE TABLE catalogue_searchentry (
        rowid bigint PRIMARY KEY REFERENCES catalogue_book (id) ON DELETE CASCADE,
        title_length smallint NOT NULL,
        title tsvector NOT NULL,
        names tsvector NOT NULL,
        document tsvector NOT NULL
    ) WITH (toast_tuple_target = 640)  -- the long ones elsewhere: they are not read again
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
        AS made (pk, title_length, title, names, document)
    ON CONFLICT (rowid) DO UPDATE
        SET title_length = excluded.title_length, title = excluded.title, names = excluded.names,
            document = excluded.document
        WHERE (kept.title, kept.names, kept.document) <> (excluded.title, excluded.names, excluded.document)
"""
#: By what a condition looks at, the column.
_COLUMNS = {Where.KEYS: "title", Where.TITLE: "title", Where.NAMES: "names", Where.ANYWHERE: "document"}


def write(cursor: Any, entries: list[Entry]) -> None:
    """Write entries, new or anew."""
    rows = []
    for entry in entries:
        names = {*entry.title, *entry.authors}
        document = {*names, *entry.edition, *entry.description}
        places = [f"'{token}':{place}" for place, token in enumerate(entry.title, start=1)]
        pairs = {_pair(one, then) for one, then in pairwise(entry.title)}
        title = " ".join([*places, _set({*pairs, *entry.keys})])
        rows.append((entry.pk, len(entry.title), title, _set(names), _set(document)))
    cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])


def hits(condition: Condition, *, but_for: Sequence[Condition] = ()) -> tuple[str, list[str]]:
    """Return the SQL, with its parameters, that is true of the entries that meet a condition.

    Parameters
    ----------
    condition : Condition
    but_for : sequence of Condition
        Those that meet one of these are left out.
    """
    sql = [f"{_COLUMNS[condition.where]} @@ %s::tsquery"]
    params = [_tsquery(condition)]
    for column in dict.fromkeys(_COLUMNS[other.where] for other in but_for):
        queries = [_tsquery(other) for other in but_for if _COLUMNS[other.where] == column]
        sql.append(f"NOT {column} @@ %s::tsquery")
        params.append(" | ".join(f"({query})" for query in queries))
    return " AND ".join(sql), params


def _tsquery(condition: Condition) -> str:
    joined = (" <-> " if condition.phrase else " & ").join(_lexeme(token) for token in condition.tokens)
    # An index knows no places either: to find a row of usual words, it has to know which follow one another.
    pairs = pairwise(condition.tokens) if condition.phrase else ()
    followed = [_lexeme(Token(_pair(one.text, then.text), then.begins)) for one, then in pairs]
    return " & ".join([f"({joined})", *followed, *(f"'{key}'" for key in condition.keys)])


def _lexeme(token: Token) -> str:
    # A token is letters and digits, so nothing in it ends the quotes.
    return f"'{token.text}'" + (":*" if token.begins else "")


def _pair(one: str, then: str) -> str:
    return f"{PAIR}{one}_{then}"


def _set(tokens: set[str]) -> str:
    return " ".join(f"'{token}'" for token in sorted(tokens))
