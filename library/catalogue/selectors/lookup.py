"""Search of rows about titles, copies or borrowers: loans, holds, suggestions.

A search for the text in the title of each row would read every loan in the history. The few matching titles
and copies are found first, through the indexes for that, and then the rows about them.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from library.catalogue.models import Book, Copy
from library.catalogue.search import MAX_HITS, ranked

__all__ = [
    "MAX_HITS",
    "Lookup",
    "copies_by_barcode",
    "copies_by_barcode_or_call_number",
    "filter_by_lookup",
    "search_titles",
]

Row = TypeVar("Row", bound=Model)
Lookup = Callable[[str], Any]
"""Returns the records that match a text, or their primary keys: at most `MAX_HITS`."""


def search_titles(text: str) -> list[int]:
    """Return the keys of the best matches of the catalogue's search."""
    return ranked(books=Book.objects.all(), text=text)


def copies_by_barcode(text: str) -> QuerySet[Copy]:
    """Return copies whose barcode starts with the text."""
    return Copy.objects.filter(barcode__startswith=text)[:MAX_HITS]


def copies_by_barcode_or_call_number(text: str) -> QuerySet[Copy]:
    """Return copies whose barcode or call number starts with the text."""
    return Copy.objects.filter(Q(barcode__startswith=text) | Q(call_number__startswith=text))[:MAX_HITS]


def filter_by_lookup(*, rows: QuerySet[Row], text: str, lookups: Mapping[str, Lookup]) -> QuerySet[Row]:
    """Return the rows that match a text by any of the lookups; all rows if it is blank.

    Parameters
    ----------
    lookups
        By the path from a row to a related record: the lookup that finds such records.
    """
    text = text.strip()
    if not text:
        return rows
    all_rows = rows.model._base_manager.order_by()
    # A union, so that each path uses its own index.
    first, *others = (
        all_rows.filter(**{f"{path}__in": lookup(text)}).values("pk") for path, lookup in lookups.items()
    )
    return rows.filter(pk__in=first.union(*others) if others else first)
