"""Full-text search of the catalogue, in PostgreSQL and SQLite.

This package imports no models, so that migrations may fill the index. Callers pass rows and querysets.
"""

from library.catalogue.search.execution import MAX_HITS, in_order, matching, ranked
from library.catalogue.search.index_entries import COLUMNS, BookText
from library.catalogue.search.schema import create_table, delete_orphans, drop_table, write_entries

__all__ = [
    "COLUMNS",
    "MAX_HITS",
    "BookText",
    "create_table",
    "delete_orphans",
    "drop_table",
    "in_order",
    "matching",
    "ranked",
    "write_entries",
]
