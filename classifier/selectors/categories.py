"""Categories by what the model calls them.

Apart from `classifier.selectors.records`, so that a web process loads no numpy.
"""

from collections.abc import Iterable

from classifier.selectors.reviews import category_key
from library.catalogue.models import Category
from library.catalogue.selectors.categories import stands_for


def categories_of(keys: Iterable[str]) -> dict[str, Category]:
    """Return the categories of these keys by `category_key`, given up or not; those deleted are missing."""
    wanted = set(keys)
    if not wanted:
        return {}
    schemes, _slashes, notations = zip(*(key.partition("/") for key in wanted), strict=True)
    rows = Category.objects.filter(scheme__in=set(schemes), notation__in=set(notations))
    found = {category_key(row.scheme, row.notation): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


def keys_today() -> dict[str, str | None]:
    """Return what categories that were given up are called now, by `category_key`; None of one that has no
    other in its place.
    """
    instead = stands_for()
    if not instead:
        return {}
    rows = Category.objects.filter(pk__in={*instead, *filter(None, instead.values())})
    key = {row.pk: category_key(row.scheme, row.notation) for row in rows}
    return {key[old]: None if new is None else key[new] for old, new in instead.items()}
