"""Reads of the catalogue."""

from collections.abc import Collection

from library.catalogue.models import Book, Category
from library.tabular import KEYS_A_QUERY, batches


def category_ids(*, scheme: str) -> dict[str, int]:
    """Return the primary keys of a scheme's categories by notation."""
    return dict(Category.objects.filter(scheme=scheme).values_list("notation", "pk").iterator())


def book_ids(*, control_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of those books that exist, by control number."""
    found: dict[str, int] = {}
    for numbers in batches(sorted(control_numbers), KEYS_A_QUERY):
        found.update(Book.objects.filter(control_number__in=numbers).values_list("control_number", "pk"))
    return found
