"""Rows about a title or a copy that somebody typed: loans, holds, suggestions.

Looking for the text within each row's title would read every loan there ever was. The few titles and copies
that are meant are found first, by the indexes made for it, and then the rows about them.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from library.catalogue.models import Book, Copy
from library.catalogue.search import MOST_HITS, ranked

__all__ = ["MOST_HITS", "Finder", "copies_called", "copies_marked", "rows_about", "titles_called"]

Row = TypeVar("Row", bound=Model)
Finder = Callable[[str], Any]
"""Finds what is meant by a text: at most `MOST_HITS` records, or their primary keys."""


def titles_called(text: str) -> list[int]:
    """Return the titles that fit best, as the search of the catalogue finds them."""
    return ranked(books=Book.objects.all(), text=text)


def copies_called(text: str) -> QuerySet[Copy]:
    """Return the copies whose barcode begins so."""
    return Copy.objects.filter(barcode__startswith=text)[:MOST_HITS]


def copies_marked(text: str) -> QuerySet[Copy]:
    """Return the copies whose barcode or call number begins so."""
    return Copy.objects.filter(Q(barcode__startswith=text) | Q(call_number__startswith=text))[:MOST_HITS]


def rows_about(*, rows: QuerySet[Row], text: str, found_by: Mapping[str, Finder]) -> QuerySet[Row]:
    """Return those of some rows that are about what was typed; all, if it is blank.

    Parameters
    ----------
    rows : QuerySet
    text : str
    found_by : mapping of str to callable
        By the path from a row to what it is about, what finds that.

    Returns
    -------
    QuerySet
        Rows that any of the paths leads to.
    """
    text = text.strip()
    if not text:
        return rows
    everything = rows.model._base_manager.order_by()
    # Each way apart, so that each has its index.
    first, *others = (
        everything.filter(**{f"{path}__in": find(text)}).values("pk") for path, find in found_by.items()
    )
    return rows.filter(pk__in=first.union(*others) if others else first)
