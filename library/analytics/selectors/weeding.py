"""Titles that may be taken off the shelves, each with its reasons; a person decides.

The measures are those of the CREW method: how long a title has not been lent and how old it is, against what
the library sets. Of its MUSTIE list (misleading, ugly, superseded, trivial, irrelevant, elsewhere) the data
know little: that there are more copies than are used, and that there is a newer edition.

References
----------
Larson, J. (2012). CREW: A Weeding Manual for Modern Libraries. Texas State Library and Archives Commission.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Left

from library.analytics.selectors.scope import Scope
from library.analytics.selectors.titles import copies_held, titles_held
from library.catalogue.models import TITLE_START, Book, Copy
from library.circulation.models import Hold
from library.circulation.selectors.calendar import library_date
from library.db import KEYS_A_QUERY, batches

#: What editions of one work have in common. The subtitle, too: it is where volumes differ.
_WORK = ("title", "subtitle", "authors", "language")


@dataclass(frozen=True)
class Candidate:
    """A title that may be weeded.

    Attributes
    ----------
    book : Book
    copies : int
    last : int or None
        The year in which it was lent last; None: never. A day could tell who it was.
    reasons : tuple of str
        ``unborrowed``, ``old``, ``superseded``, ``spare_copies``.
    """

    book: Book
    copies: int
    last: int | None
    reasons: tuple[str, ...]


def weeding_candidates(*, scope: Scope, now: datetime) -> QuerySet[Book]:
    """Return the titles that may be weeded: those unborrowed for ``WEEDING_YEARS_UNBORROWED``.

    Only titles that have been in the catalogue for so long, and that nobody waits for. Those that were never
    lent come first, then those unborrowed for the longest. Each has its ``held`` copies and its ``use``.
    """
    since = _years_before(library_date(at=now), settings.WEEDING_YEARS_UNBORROWED)
    waited_for = Hold.objects.filter(book=OuterRef("pk"), status__in=Hold.ACTIVE)
    books = titles_held(scope=scope).filter(
        Q(use__last_checkout=None) | Q(use__last_checkout__lt=since),
        ~Exists(waited_for),
        created_at__lt=_years_before(now, settings.WEEDING_YEARS_UNBORROWED),
    )
    order = F("use__last_checkout").asc(nulls_first=True)
    return books.select_related("use", "category").defer("description").order_by(order, "pk")


def with_reasons(
    *, scope: Scope, books: QuerySet[Book], now: datetime, limit: int | None
) -> Iterator[Candidate]:
    """Yield the first titles of `weeding_candidates`, or all, with their reasons.

    A title is old if it appeared more than ``WEEDING_YEARS_OLD`` ago; superseded if the library, any branch
    of it, holds one of the same title, subtitle, authors and language of a later year; copies are spare where
    there are several of a title that nobody borrows.
    """
    copies = copies_held(scope=scope).filter(book=OuterRef("pk")).values("book")
    number = copies.annotate(number=Count("pk")).values("number")
    old = library_date(at=now).year - settings.WEEDING_YEARS_OLD
    held = Coalesce(Subquery(number, output_field=IntegerField()), 0)
    rows: QuerySet[Any] = books.annotate(held=held)
    for some in batches(rows[:limit] if limit else rows.iterator(), KEYS_A_QUERY):
        newest = _newest_editions(some)
        for book in some:
            use = getattr(book, "use", None)
            last = use.last_checkout.year if use and use.last_checkout else None
            reasons = ["unborrowed"]
            if book.year is not None and book.year < old:
                reasons.append("old")
            newest_year = newest.get(_work(book))
            if book.year is not None and newest_year is not None and book.year < newest_year:
                reasons.append("superseded")
            if book.held > 1:
                reasons.append("spare_copies")
            yield Candidate(book, book.held, last, tuple(reasons))


def _newest_editions(books: list[Book]) -> dict[tuple[str, ...], int | None]:
    """Return the latest year in which what is held of each work appeared."""
    held = Exists(Copy.objects.filter(book=OuterRef("pk")).exclude(status__in=Copy.GONE))
    titles = {book.title for book in books}
    by_start = Book.objects.alias(start=Left("title", TITLE_START))  # there is an index of it
    editions = by_start.filter(
        held, start__in={title[:TITLE_START] for title in titles}, title__in=titles, year__isnull=False
    )
    # In this order, the last year of a work stays.
    return {_work(book): book.year for book in editions.only(*_WORK, "year").order_by("year")}


def _work(book: Book) -> tuple[str, ...]:
    return tuple(getattr(book, field) for field in _WORK)


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28))
