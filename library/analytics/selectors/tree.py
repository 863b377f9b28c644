"""Numbers by category, put together under the categories at one level of the tree."""

from library.catalogue.models import Category


def shown_under(*, below: int | None) -> tuple[dict[int, int], list[Category]]:
    """Return under which category each is shown, and the categories shown, in order of their notations.

    Parameters
    ----------
    below : int or None
        Shown are the children of this category and, for its own books, the category itself; None: the
        categories without a parent.

    Returns
    -------
    dict
        The key of the shown category by the key of each one in its branch of the tree.
    list of Category
    """
    categories = {
        category.pk: category
        for category in Category.objects.only("notation", "label_en", "label_zh", "parent_id").order_by(
            "notation"
        )
    }
    found: dict[int, int] = {}
    for pk, category in categories.items():
        place, seen = category, {pk}
        while place.parent_id not in (None, below) and place.parent_id not in seen:
            if place.pk == below:
                break
            seen.add(place.parent_id)
            place = categories[place.parent_id]
        if place.pk == below or place.parent_id == below:
            found[pk] = place.pk
    shown = set(found.values())
    return found, [category for pk, category in categories.items() if pk in shown]
