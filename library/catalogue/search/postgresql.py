"""Search in PostgreSQL: two tsvectors, made of tokens that are ready, so by no text search configuration."""

from collections.abc import Sequence
from typing import Any

from library.catalogue.search.entries import Entry
from library.catalogue.search.queries import Condition, Token, Where

# A table of its own: searching reads narrow rows, and reading books reads no tsvector.
# What was written since the index was last put in order is read by every search, so it is kept short.
_IN_ORDER = "WITH (gin_pending_list_limit = 512)"
CREATE = [
    """
    CREATE TABLE catalogue_searchentry (
        rowid bigint PRIMARY KEY REFERENCES catalogue_book (id) ON DELETE CASCADE,
        title_length smallint NOT NULL,
        head tsvector NOT NULL,
        document tsvector NOT NULL
    )
    """,
    f"CREATE INDEX catalogue_searchentry_head ON catalogue_searchentry USING gin (head) {_IN_ORDER}",
    f"CREATE INDEX catalogue_searchentry_document ON catalogue_searchentry USING gin (document) {_IN_ORDER}",
]
DROP = ["DROP TABLE catalogue_searchentry"]

_WRITE = """
    INSERT INTO catalogue_searchentry AS kept (rowid, title_length, head, document)
    SELECT pk, title_length, head::tsvector, document::tsvector
    FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::text[])
        AS made (pk, title_length, head, document)
    ON CONFLICT (rowid) DO UPDATE
        SET title_length = excluded.title_length, head = excluded.head, document = excluded.document
        WHERE kept.head <> excluded.head OR kept.document <> excluded.document
"""
#: By what a condition looks at, the weights of the tokens in `head` that count.
_WEIGHTS = {Where.KEYS: "", Where.TITLE: "A", Where.NAMES: "AB", Where.HEAD: "", Where.ANYWHERE: ""}


def write(cursor: Any, entries: list[Entry]) -> None:
    """Write entries, new or anew."""
    rows = [(entry.pk, len(entry.title), _head(entry), _document(entry)) for entry in entries]
    cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])


def hits(condition: Condition, *, but_for: Sequence[Condition] = ()) -> tuple[str, list[str]]:
    """Return the SQL, with its parameters, that is true of the entries that meet a condition.

    Parameters
    ----------
    condition : Condition
    but_for : sequence of Condition
        Those that meet one of these are left out; none of them looks anywhere.
    """
    sql = f"{'document' if condition.where is Where.ANYWHERE else 'head'} @@ %s::tsquery"
    if not but_for:
        return sql, [_tsquery(condition)]
    others = " | ".join(f"({_tsquery(other)})" for other in but_for)
    return f"{sql} AND NOT head @@ %s::tsquery", [_tsquery(condition), others]


def _tsquery(condition: Condition) -> str:
    weights = _WEIGHTS[condition.where]
    joined = (" <-> " if condition.phrase else " & ").join(
        _lexeme(token, weights) for token in condition.tokens
    )
    return " & ".join([f"({joined})", *(f"'{key}'" for key in condition.keys)])


def _lexeme(token: Token, weights: str) -> str:
    # A token is letters and digits, so nothing in it ends the quotes.
    suffix = ("*" if token.begins else "") + weights
    return f"'{token.text}'" + (f":{suffix}" if suffix else "")


def _head(entry: Entry) -> str:
    weighed = [(entry.title, "A"), (entry.authors, "B"), (entry.edition, "C")]
    lexemes = [f"'{key}'" for key in entry.keys]
    at = 0
    for tokens, weight in weighed:
        lexemes += [f"'{token}':{at + place}{weight}" for place, token in enumerate(tokens, start=1)]
        at += len(tokens) + 1  # no phrase goes from one into the next
    return " ".join(lexemes)


def _document(entry: Entry) -> str:
    # Without places and weights, which only `head` is asked for: half the size.
    found = {*entry.title, *entry.authors, *entry.edition, *entry.description, *entry.keys}
    return " ".join(f"'{token}'" for token in sorted(found))
