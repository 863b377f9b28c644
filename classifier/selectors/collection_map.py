"""Collection map; separate from `classifier.selectors.records`, which loads numpy."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Subquery

from classifier.models import MapPoint, Suggestion
from library.catalogue.models import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class PlottedBook:
    """A book on the map.

    Attributes
    ----------
    book
        Primary key.
    category
        Of the book, or else of its best suggestion.
    x, y
        From -1 to 1.
    """

    book: int
    title: str
    category: Category | None
    x: float
    y: float


def map_points() -> list[PlottedBook]:
    """Return all books of the map; two queries."""
    best = Suggestion.objects.filter(book=OuterRef("book"), rank=1).values("category")[:1]
    rows = MapPoint.objects.annotate(best=Subquery(best), filed=F("book__category"), title=F("book__title"))
    points = list(rows.order_by("book").values_list("book", "title", "filed", "best", "x", "y"))
    categories = Category.objects.in_bulk(
        {filed or best for _book, _title, filed, best, *_xy in points} - {None}
    )
    return [
        PlottedBook(book=book, title=title, category=categories.get(filed or best), x=x, y=y)
        for book, title, filed, best, x, y in points
    ]


def last_drawn() -> tuple[str, datetime] | None:
    """Return the version that drew the map, and when; None if there is no map."""
    return MapPoint.objects.values_list("model_version__name", "created_at").first()
