"""Search in SQLite: an FTS5 table. https://www.sqlite.org/fts5.html"""

from collections.abc import Sequence
from typing import Any

from library.catalogue.search.index_entries import Entry
from library.catalogue.search.query_parser import Condition, Token, Where

CREATE = [
    # The tokenizer "ascii" treats every character beyond ASCII as a letter, so it does not change our tokens.
    """
    CREATE VIRTUAL TABLE catalogue_searchentry USING fts5(
        title, authors, edition, description, keys, title_length UNINDEXED, tokenize = 'ascii'
    )
    """,
    # Virtual tables have no foreign keys.
    """
    CREATE TRIGGER catalogue_searchentry_gone AFTER DELETE ON catalogue_book
    BEGIN DELETE FROM catalogue_searchentry WHERE rowid = OLD.id; END
    """,
]
DROP = ["DROP TRIGGER IF EXISTS catalogue_searchentry_gone", "DROP TABLE catalogue_searchentry"]

_WRITE = """
    INSERT OR REPLACE INTO catalogue_searchentry
        (rowid, title, authors, edition, description, keys, title_length)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
#: The columns of each part of an entry.
_COLUMNS = {
    Where.KEYS: "{keys} : ",
    Where.TITLE: "{title} : ",
    Where.NAMES: "{title authors} : ",
    Where.ANYWHERE: "",
}


def write(cursor: Any, entries: list[Entry]) -> None:
    """Create or replace entries."""
    rows = [
        (
            entry.pk,
            *(
                " ".join(tokens)
                for tokens in (entry.title, entry.authors, entry.edition, entry.description, entry.keys)
            ),
            len(entry.title),
        )
        for entry in entries
    ]
    cursor.executemany(_WRITE, rows)


def match_sql(condition: Condition, *, excluding: Sequence[Condition] = ()) -> tuple[str, list[str]]:
    """Return the SQL condition, and its parameters, for the entries that meet a condition.

    Parameters
    ----------
    excluding
        Skip the entries that meet one of these.
    """
    query = _match(condition)
    if excluding:
        query += f" NOT ({' OR '.join(_match(other) for other in excluding)})"
    return "catalogue_searchentry MATCH %s", [query]


def _match(condition: Condition) -> str:
    if condition.phrase:
        row = " ".join(token.text for token in condition.tokens)
        joined = f'"{row}"' + ("*" if condition.tokens[-1].is_prefix else "")
    else:
        joined = " AND ".join(_term(token) for token in condition.tokens)
    keys = [f'{_COLUMNS[Where.KEYS]}"{key}"' for key in condition.keys]
    return f"({' AND '.join([f'({_COLUMNS[condition.where]}({joined}))', *keys])})"


def _term(token: Token) -> str:
    # Tokens are letters and digits, so they need no escaping.
    return f'"{token.text}"' + ("*" if token.is_prefix else "")
