"""Shelf list: the copies that belong on the shelves, in shelf order."""

from django.db.models import QuerySet

from library.analytics.selectors.scope import Scope
from library.analytics.selectors.titles import copies_held
from library.catalogue.models import Copy


def shelf_list(*, scope: Scope) -> QuerySet[Copy]:
    """Return the copies of the scope's branch and category by shelf location and call number."""
    copies = copies_held(scope=scope).filter(scope.places(branch="", category="book__category"))
    copies = copies.select_related("book").defer("book__description")
    return copies.order_by("shelf_location", "call_number", "barcode")
