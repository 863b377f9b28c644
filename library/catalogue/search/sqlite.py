"""Search in SQLite: an FTS5 table. https://www.sqlite.org/fts5.html"""

from collections.abc import Sequence
from typing import Any

from library.catalogue.search.index_entries import Entry
from library.catalogue.search.query_parser import Condition, Token, Where

CREATE = [
    # The tokenizer "ascii" takes all beyond ASCII as letters, and so our tokens as they are.
    """
    CREATE VIRTUAL TABLE catalogue_searchentry USING fts5(
        title, authors, edition, description, keys, title_length UNINDEXED, tokenize = 'ascii'
    )
    """,
    # A virtual table has no foreign keys.
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
#: By what a condition looks at, the columns.
_COLUMNS = {
    Where.KEYS: "{keys} : ",
    Where.TITLE: "{title} : ",
    Where.NAMES: "{title authors} : ",
    Where.ANYWHERE: "",
}


def write(cursor: Any, entries: list[Entry]) -> None:
    """Write entries, new or anew."""
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


def hits(condition: Condition, *, but_for: Sequence[Condition] = ()) -> tuple[str, list[str]]:
    """Return the SQL, with its parameters, that is true of the entries that meet a condition.

    Parameters
    ----------
    condition : Condition
    but_for : sequence of Condition
        Those that meet one of these are left out.
    """
    query = _match(condition)
    if but_for:
        query += f" NOT ({' OR '.join(_match(other) for other in but_for)})"
    return "catalogue_searchentry MATCH %s", [query]


def _match(condition: Condition) -> str:
    if condition.phrase:
        row = " ".join(token.text for token in condition.tokens)
        joined = f'"{row}"' + ("*" if condition.tokens[-1].begins else "")
    else:
        joined = " AND ".join(_term(token) for token in condition.tokens)
    keys = [f'{_COLUMNS[Where.KEYS]}"{key}"' for key in condition.keys]
    return f"({' AND '.join([f'({_COLUMNS[condition.where]}({joined}))', *keys])})"


def _term(token: Token) -> str:
    # A token is letters and digits, so nothing in it ends the quotes.
    return f'"{token.text}"' + ("*" if token.begins else "")
