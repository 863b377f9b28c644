"""Statistics by category, grouped under the categories at one level of the tree."""

from library.catalogue.models import Category


def shown_under(*, below: int | None) -> tuple[dict[int, int], list[Category]]:
    """Return the shown category for each category, and the shown categories in order of notation.

    Parameters
    ----------
    below
        Show the children of this category and, for its own books, the category itself. None: show the
        categories without a parent.
    """
    tree = Category.tree.order_siblings_by("id").with_tree_fields()
    if below is not None:
        tree = tree.filter(tree_path__contains=below)
    categories = tree.only("notation", "label_en", "label_zh", "parent_id").order_by("notation")
    shown: dict[int, int] = {}
    for category in categories:
        path = category.tree_path
        level = 0 if below is None else path.index(below) + 1
        shown[category.pk] = path[min(level, len(path) - 1)]
    keys = set(shown.values())
    return shown, [category for category in categories if category.pk in keys]
