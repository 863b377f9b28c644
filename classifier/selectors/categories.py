"""Categories by the names that the model uses.

Separate from `classifier.selectors.records`, so that a web process loads no numpy.
"""

from collections.abc import Iterable

from classifier.selectors.reviews import category_key
from library.catalogue.models import Category
from library.catalogue.selectors.categories import replacements


def categories_by_keys(keys: Iterable[str]) -> dict[str, Category]:
    """Return categories by `category_key`, retired ones included; deleted ones are missing."""
    wanted = set(keys)
    if not wanted:
        return {}
    schemes, _slashes, notations = zip(*(key.partition("/") for key in wanted), strict=True)
    rows = Category.objects.filter(scheme__in=set(schemes), notation__in=set(notations))
    categories = {category_key(row.scheme, row.notation): row for row in rows}
    return {key: row for key, row in categories.items() if key in wanted}


def current_keys() -> dict[str, str | None]:
    """Return the replacements of retired categories, both as `category_key`; None if there is none."""
    replaced = replacements()
    if not replaced:
        return {}
    rows = Category.objects.filter(pk__in={*replaced, *filter(None, replaced.values())})
    key = {row.pk: category_key(row.scheme, row.notation) for row in rows}
    return {key[old]: None if new is None else key[new] for old, new in replaced.items()}
