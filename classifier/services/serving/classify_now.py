"""Classifying books for whoever asks, one by one or some together: nothing is stored.

In a web process; the model itself is in another one (`classifier.services.serving.server`).
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifier.models import ModelVersion
from classifier.selectors.categories import categories_of, keys_today
from classifier.selectors.reviews import rejected
from classifier.services.registry.promotion import active_version
from classifier.services.serving import client
from library.catalogue.models import Book, Category

AT_ONCE = 100
"""Books of one question: they hold a web worker for some tenths of a second, a catalogue would for minutes.
Runs reclassify a catalogue."""
RANKS = 3
"""Categories unless more are asked for, as many as a run keeps."""
MOST_RANKS = 20
"""Of each the evidence takes its time; what comes after these is never likely."""
READ = ("title", "subtitle", "authors", "publisher", "year", "language", "description")
"""What of a book that is not in the catalogue is read, besides its cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook:
    """A book outside the catalogue; ``cover`` comes from `library.catalogue.media.covers.small_jpeg`."""

    fields: Mapping[str, Any]
    cover: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One category that a book may have; rank 1 is the likeliest."""

    rank: int
    category: Category
    probability: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """What a version says of a book; `abstained`: it is not sure enough, and these are guesses."""

    book: Book | None
    abstained: bool
    suggestions: list[Guess]
    model_version: str


def classify_books(
    *,
    books: Sequence[Book | NewBook],
    limit: int = RANKS,
    threshold: float = 0.0,
    with_evidence: bool = True,
) -> list[Classified]:
    """Ask the active version about books, in their order.

    Of a book of the catalogue that is all that a run would say of it, by its loans too; these may be an hour
    old. A category that was merged into another is told as that one, and what was rejected for a book is not
    told of it.

    Parameters
    ----------
    books : sequence of Book or NewBook
    limit : int
        So many categories of each.
    threshold : float
        Those that are less likely are left out.
    with_evidence : bool
        Whether each comes with its evidence, which takes longer than the answer.

    Raises
    ------
    NoModelError
        If no version is active.
    ServingError
        If the process that holds the model cannot be asked.
    """
    if not ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).exists():
        active_version()  # says what to do; the figures of a version are too large to be read each time
    known = {book.pk: book for book in books if isinstance(book, Book)}
    new = [book for book in books if isinstance(book, NewBook)]
    answer = client.ask(
        {
            "books": [*(_record(book) for book in known.values()), *(_new_record(book) for book in new)],
            "ranks": limit,
            "evidence": with_evidence,
            "rejected": rejected(books=known) if known else {},
            "current": keys_today(),
        }
    )
    said = answer["books"]
    categories = categories_of(one["category"] for of_book in said for one in of_book)
    of_known = dict(zip(known, said, strict=False))
    of_new = iter(said[len(known) :])
    return [
        _classified(
            book if isinstance(book, Book) else None,
            of_known[book.pk] if isinstance(book, Book) else next(of_new),
            answer,
            categories,
            threshold,
        )
        for book in books
    ]


def _classified(
    book: Book | None,
    said: Sequence[Mapping[str, Any]],
    answer: Mapping[str, Any],
    categories: Mapping[str, Category],
    threshold: float,
) -> Classified:
    there = [one for one in said if one["category"] in categories]  # one may have been deleted since
    least = answer["threshold"]
    return Classified(
        book=book,
        abstained=not there or least is None or there[0]["probability"] < least,
        suggestions=[
            Guess(
                rank=rank,
                category=categories[one["category"]],
                probability=one["probability"],
                evidence=one["evidence"],
            )
            for rank, one in enumerate(there, start=1)
            if one["probability"] >= threshold
        ],
        model_version=answer["version"],
    )


def _record(book: Book) -> dict[str, Any]:
    own = {name: getattr(book, name) for name in READ}
    return own | {"id": book.control_number, "cover": book.cover.name, "audio": book.audio.name}


def _new_record(book: NewBook) -> dict[str, Any]:
    upload = b64encode(book.cover).decode() if book.cover else None
    return {**book.fields, "id": None, "cover": None, "audio": None, "upload": upload}
