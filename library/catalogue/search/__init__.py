"""Full-text search of the catalogue: what a book is found by, in PostgreSQL and in SQLite.

It stands below the models, so that migrations may fill the index: it is given rows and querysets.
"""

from library.catalogue.search.execution import MOST_HITS, in_order, matching, ranked
from library.catalogue.search.index_entries import COLUMNS, BookText
from library.catalogue.search.schema import create_table, drop_table, forget_gone, write_entries

__all__ = [
    "COLUMNS",
    "MOST_HITS",
    "BookText",
    "create_table",
    "drop_table",
    "forget_gone",
    "in_order",
    "matching",
    "ranked",
    "write_entries",
]
