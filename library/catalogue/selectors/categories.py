"""Categories, read from the database."""

from collections.abc import Mapping
from typing import TypedDict

from django.db.models import Count

from library.catalogue.models import Book, Category

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


class CategoryNode(TypedDict):
    """A category in the tree, with how many books are filed under it and under it or below."""

    id: int
    scheme: str
    notation: str
    label_en: str
    label_zh: str
    parent: int | None
    books: int
    books_below: int
    children: list["CategoryNode"]


def category_tree(*, scheme: str | None = None) -> dict[int, CategoryNode]:
    """Return the open categories by key, each with its children, in two queries.

    Parameters
    ----------
    scheme : str, optional
        Only categories of this scheme.

    Returns
    -------
    dict
        Children stand in the order of their notation. `books_below` counts those of the category itself too.
    """
    rows = Category.objects.filter(**Category.OPEN)
    if scheme is not None:
        rows = rows.filter(scheme=scheme)
    counted = dict(
        Book.objects.filter(category__isnull=False)
        .order_by()
        .values_list("category")
        .annotate(books=Count("pk"))
    )
    nodes: dict[int, CategoryNode] = {}
    for row in rows.order_by("scheme", "notation"):
        own = counted.get(row.pk, 0)
        nodes[row.pk] = {
            "id": row.pk,
            "scheme": row.scheme,
            "notation": row.notation,
            "label_en": row.label_en,
            "label_zh": row.label_zh,
            "parent": row.parent_id,
            "books": own,
            "books_below": own,
            "children": [],
        }
    for node in nodes.values():
        above = ancestors(node["id"], nodes)
        if above:
            nodes[above[0]]["children"].append(node)
        for key in above:
            nodes[key]["books_below"] += node["books"]
    return nodes


def ancestors(category: int, nodes: Mapping[int, CategoryNode]) -> list[int]:
    """Return the keys of the categories above one, the nearest first."""
    found: list[int] = []
    above = nodes[category]["parent"]
    while above is not None and above in nodes and above not in found:  # a circle would not end
        found.append(above)
        above = nodes[above]["parent"]
    return found
