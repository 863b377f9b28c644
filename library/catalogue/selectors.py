"""Reads of the catalogue."""

from collections.abc import Collection, Mapping

from library.catalogue.models import Book, Category, Copy
from library.tabular import KEYS_A_QUERY, batches

Places = dict[int, int | None]
"""By the key of a category, that of the open one its books are filed under now; None if there is none."""


def category_ids(*, scheme: str) -> dict[str, int | None]:
    """Return the primary keys of a scheme's categories by notation.

    Of a category that was given up it is that of the open one in its place; None if there is none.
    """
    instead = stands_for()
    rows = Category.objects.filter(scheme=scheme).values_list("notation", "pk").iterator()
    return {notation: instead.get(pk, pk) for notation, pk in rows}


def current_places() -> Places:
    """Return by the key of each category that of the open one its books are filed under, or None."""
    places: Places = {key: key for key in Category.objects.values_list("pk", flat=True)}
    return places | stands_for()


def retired_notations(*, scheme: str) -> set[str]:
    """Return the notations of a scheme that were given up."""
    retired = Category.objects.filter(scheme=scheme, retired_at__isnull=False)
    return set(retired.values_list("notation", flat=True))


def stands_for() -> dict[int, int | None]:
    """Return by the key of each retired category that of the open one in its place; None if there is none."""
    retired = Category.objects.filter(retired_at__isnull=False)
    return followed(dict(retired.values_list("pk", "replaced_by_id")))


def followed(retired: Mapping[int, int | None]) -> dict[int, int | None]:
    """Return what stands for each key at last, given what took its place at first."""
    found: dict[int, int | None] = {}
    for pk, instead in retired.items():
        # What stands in was open when the other was retired, so this comes to an end.
        while instead is not None and instead in retired:
            instead = retired[instead]
        found[pk] = instead
    return found


def book_ids(*, control_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of those books that exist, by control number."""
    found: dict[str, int] = {}
    for numbers in batches(sorted(control_numbers), KEYS_A_QUERY):
        found.update(Book.objects.filter(control_number__in=numbers).values_list("control_number", "pk"))
    return found


def with_those_below(*, category: int) -> list[int]:
    """Return the key of a category and those of all below it, in order."""
    children: dict[int | None, list[int]] = {}
    for pk, parent in Category.objects.order_by().values_list("pk", "parent_id").iterator():
        children.setdefault(parent, []).append(pk)
    found, to_do = {category}, [category]
    while to_do:
        below = [pk for pk in children.get(to_do.pop(), []) if pk not in found]  # a circle would not end
        found.update(below)
        to_do += below
    return sorted(found)


def figures() -> dict[str, int]:
    """Return how much the catalogue keeps, for the state of the installation."""
    return {"books": Book.objects.count(), "copies": Copy.objects.count()}
