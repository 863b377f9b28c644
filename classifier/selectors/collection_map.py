"""The map of the collection as it is drawn; apart from `classifier.selectors.records`, which loads numpy."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Subquery

from classifier.models import MapPoint, Suggestion
from library.catalogue.models import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A book on the map.

    Attributes
    ----------
    book : int
    title : str
    category : Category or None
        What it is filed under, or else the best suggestion.
    x, y : float
        From -1 to 1.
    """

    book: int
    title: str
    category: Category | None
    x: float
    y: float


def places() -> list[Place]:
    """Return all books of the map; two queries."""
    best = Suggestion.objects.filter(book=OuterRef("book"), rank=1).values("category")[:1]
    rows = MapPoint.objects.annotate(best=Subquery(best), filed=F("book__category"), title=F("book__title"))
    found = list(rows.order_by("book").values_list("book", "title", "filed", "best", "x", "y"))
    categories = Category.objects.in_bulk(
        {filed or best for _book, _title, filed, best, *_at in found} - {None}
    )
    return [
        Place(book=book, title=title, category=categories.get(filed or best), x=x, y=y)
        for book, title, filed, best, x, y in found
    ]


def drawn() -> tuple[str, datetime] | None:
    """Return by which version and when the map was drawn; None if there is none."""
    return MapPoint.objects.values_list("model_version__name", "made_at").first()
