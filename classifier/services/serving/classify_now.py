"""Classification on request: one or several books, nothing is stored.

Runs in a web process; the model is in another one (`classifier.services.serving.server`).
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifier.models import ModelVersion
from classifier.selectors.categories import categories_by_keys, current_keys
from classifier.selectors.reviews import rejected
from classifier.services.registry.promotion import active_version
from classifier.services.serving import client
from library.catalogue.models import Book, Category

MAX_BOOKS = 100
"""Per request: they occupy a web worker for some tenths of a second, a catalogue would for minutes.
Runs reclassify a catalogue."""
RANKS = 3
"""Categories per book unless requested otherwise; a run stores as many."""
MAX_RANKS = 20
"""Evidence takes time for each, and categories beyond are never likely."""
RECORD_FIELDS = ("title", "subtitle", "authors", "publisher", "year", "language", "description")
"""Fields of a book outside the catalogue that the model reads, besides its cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook:
    """A book outside the catalogue; ``cover`` comes from `library.catalogue.media.covers.small_jpeg`."""

    fields: Mapping[str, Any]
    cover: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCategory:
    """A possible category of a book; rank 1 is the likeliest."""

    rank: int
    category: Category
    probability: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Response for one book; if `abstained`, the confidence is too low and the categories are guesses."""

    book: Book | None
    abstained: bool
    suggestions: list[RankedCategory]
    model_version: str


def classify_books(
    *,
    books: Sequence[Book | NewBook],
    limit: int = RANKS,
    threshold: float = 0.0,
    with_evidence: bool = True,
) -> list[Classification]:
    """Classify books with the active version, in their order.

    For a book of the catalogue the result is that of a run, its loans included, which may be an hour old. A
    category that was merged is returned as its replacement; a rejected one is not returned for its book.

    Parameters
    ----------
    limit
        Categories per book.
    threshold
        Less likely categories are omitted.
    with_evidence
        Evidence takes longer to compute than the categories.

    Raises
    ------
    NoModelError
        If no version is active.
    ServingError
        If the model server is unavailable.
    """
    if not ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).exists():
        active_version()  # raises; the metrics of a version are too large to be read for each request
    catalogued = {book.pk: book for book in books if isinstance(book, Book)}
    new = [book for book in books if isinstance(book, NewBook)]
    response = client.request(
        {
            "books": [*map(_record, catalogued.values()), *map(_new_record, new)],
            "ranks": limit,
            "evidence": with_evidence,
            "rejected": rejected(books=catalogued) if catalogued else {},
            "current": current_keys(),
        }
    )
    rankings = response["books"]
    categories = categories_by_keys(row["category"] for ranking in rankings for row in ranking)
    by_book = dict(zip(catalogued, rankings, strict=False))
    of_new = iter(rankings[len(catalogued) :])
    return [
        _classification(
            book if isinstance(book, Book) else None,
            by_book[book.pk] if isinstance(book, Book) else next(of_new),
            response,
            categories,
            threshold,
        )
        for book in books
    ]


def _classification(
    book: Book | None,
    ranking: Sequence[Mapping[str, Any]],
    response: Mapping[str, Any],
    categories: Mapping[str, Category],
    threshold: float,
) -> Classification:
    existing = [row for row in ranking if row["category"] in categories]  # others have been deleted
    minimum = response["threshold"]
    return Classification(
        book=book,
        abstained=not existing or minimum is None or existing[0]["probability"] < minimum,
        suggestions=[
            RankedCategory(
                rank=rank,
                category=categories[row["category"]],
                probability=row["probability"],
                evidence=row["evidence"],
            )
            for rank, row in enumerate(existing, start=1)
            if row["probability"] >= threshold
        ],
        model_version=response["version"],
    )


def _record(book: Book) -> dict[str, Any]:
    fields = {name: getattr(book, name) for name in RECORD_FIELDS}
    return fields | {"id": book.control_number, "cover": book.cover.name, "audio": book.audio.name}


def _new_record(book: NewBook) -> dict[str, Any]:
    upload = b64encode(book.cover).decode() if book.cover else None
    return {**book.fields, "id": None, "cover": None, "audio": None, "upload": upload}
