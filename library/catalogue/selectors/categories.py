"""Queries on categories and their tree."""

from collections.abc import Mapping
from typing import TypedDict

from django.db.models import Count

from library.catalogue.models import Book, Category

CurrentCategories = dict[int, int | None]
"""The open category that holds the books of each category now, by key; None if there is none."""


def category_ids(*, scheme: str) -> dict[str, int | None]:
    """Return the primary keys of a scheme's categories by notation.

    A retired category maps to the open category that replaces it, or to None.
    """
    replaced = replacements()
    rows = Category.objects.filter(scheme=scheme).values_list("notation", "pk").iterator()
    return {notation: replaced.get(pk, pk) for notation, pk in rows}


def current_categories() -> CurrentCategories:
    """Return the open category that holds the books of each category now, by key, or None."""
    current: CurrentCategories = {pk: pk for pk in Category.objects.values_list("pk", flat=True)}
    return current | replacements()


def retired_notations(*, scheme: str) -> set[str]:
    """Return the notations of a scheme's retired categories."""
    retired = Category.objects.filter(scheme=scheme, retired_at__isnull=False)
    return set(retired.values_list("notation", flat=True))


def replacements() -> dict[int, int | None]:
    """Return the open category that replaces each retired one, by key, or None."""
    retired = Category.objects.filter(retired_at__isnull=False)
    return resolve_replacements(dict(retired.values_list("pk", "replaced_by_id")))


def resolve_replacements(retired: Mapping[int, int | None]) -> dict[int, int | None]:
    """Follow chains of replacements to the open category at the end of each; None if there is none."""
    resolved: dict[int, int | None] = {}
    for pk, replacement in retired.items():
        # A replacement was open when the other category was retired, so the chain ends.
        while replacement is not None and replacement in retired:
            replacement = retired[replacement]
        resolved[pk] = replacement
    return resolved


def descendants(*, category: int) -> list[int]:
    """Return the keys of a category and of all categories below it, in ascending order, in one query."""
    # Siblings ranked by key: their default order would cost a window function over the whole table.
    tree = Category.tree.order_siblings_by("id").descendants(category, include_self=True)
    return list(tree.order_by("pk").values_list("pk", flat=True))


class CategoryNode(TypedDict):
    """A category in the tree; `books` are filed under it, `books_below` under it or a descendant."""

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
    """Return the open categories (of all schemes for None) by key, with children in order of notation.

    It takes two queries.
    """
    categories = Category.objects.filter(**Category.OPEN)
    if scheme is not None:
        categories = categories.filter(scheme=scheme)
    counts = dict(
        Book.objects.filter(category__isnull=False)
        .order_by()
        .values_list("category")
        .annotate(books=Count("pk"))
    )
    nodes: dict[int, CategoryNode] = {}
    for category in categories.order_by("scheme", "notation"):
        books = counts.get(category.pk, 0)
        nodes[category.pk] = {
            "id": category.pk,
            "scheme": category.scheme,
            "notation": category.notation,
            "label_en": category.label_en,
            "label_zh": category.label_zh,
            "parent": category.parent_id,
            "books": books,
            "books_below": books,
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
    """Return the keys of the categories above one, nearest first."""
    keys: list[int] = []
    parent = nodes[category]["parent"]
    while parent is not None and parent in nodes and parent not in keys:  # a circle would not end
        keys.append(parent)
        parent = nodes[parent]["parent"]
    return keys
