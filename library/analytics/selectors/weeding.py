"""Weeding candidates with their reasons, for a librarian to decide on.

The criteria come from the CREW method: the time since a title's last checkout and its age, against limits
that the library sets. The data cover little of CREW's MUSTIE list (misleading, ugly, superseded, trivial,
irrelevant, elsewhere): unused extra copies and newer editions.

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
from library.catalogue.models import TITLE_PREFIX_LENGTH, Book, Copy
from library.circulation.models import Hold
from library.circulation.selectors.calendar import library_date
from library.db import KEYS_PER_QUERY, batches

#: Fields that the editions of a work share. They include the subtitle, in which volumes differ.
_WORK = ("title", "subtitle", "authors", "language")


@dataclass(frozen=True)
class Candidate:
    """A title that may be weeded.

    Attributes
    ----------
    last_borrowed
        Year of the last checkout; None: never. The exact day could identify the borrower.
    reasons
        ``unborrowed``, ``old``, ``superseded``, ``spare_copies``.
    """

    book: Book
    copies: int
    last_borrowed: int | None
    reasons: tuple[str, ...]


def weeding_candidates(*, scope: Scope, now: datetime) -> QuerySet[Book]:
    """Return the titles without holds that have not been borrowed for ``WEEDING_YEARS_UNBORROWED``.

    Only titles that have been in the catalogue for that long. Titles never borrowed come first, then those
    unborrowed for the longest. The query joins ``use`` and ``category``.
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
    """Yield the titles of `weeding_candidates` with their reasons.

    A title is old if it was published more than ``WEEDING_YEARS_OLD`` ago. It is superseded if any branch
    holds an edition with the same title, subtitle, authors and language and a later year. Copies are spare if
    there are several.

    Parameters
    ----------
    limit
        Titles to yield; None: all.
    """
    copies = copies_held(scope=scope).filter(book=OuterRef("pk")).values("book")
    number = copies.annotate(number=Count("pk")).values("number")
    old = library_date(at=now).year - settings.WEEDING_YEARS_OLD
    held = Coalesce(Subquery(number, output_field=IntegerField()), 0)
    rows: QuerySet[Any] = books.annotate(held=held)
    for batch in batches(rows[:limit] if limit else rows.iterator(), KEYS_PER_QUERY):
        newest = _newest_editions(batch)
        for book in batch:
            use = getattr(book, "use", None)
            last_borrowed = use.last_checkout.year if use and use.last_checkout else None
            reasons = ["unborrowed"]
            if book.year is not None and book.year < old:
                reasons.append("old")
            newest_year = newest.get(_work(book))
            if book.year is not None and newest_year is not None and book.year < newest_year:
                reasons.append("superseded")
            if book.held > 1:
                reasons.append("spare_copies")
            yield Candidate(book, book.held, last_borrowed, tuple(reasons))


def _newest_editions(books: list[Book]) -> dict[tuple[str, ...], int | None]:
    """Return the latest publication year among the held editions of each work."""
    held = Exists(Copy.objects.filter(book=OuterRef("pk")).exclude(status__in=Copy.GONE))
    titles = {book.title for book in books}
    by_start = Book.objects.alias(start=Left("title", TITLE_PREFIX_LENGTH))  # indexed
    editions = by_start.filter(
        held,
        start__in={title[:TITLE_PREFIX_LENGTH] for title in titles},
        title__in=titles,
        year__isnull=False,
    )
    # Ascending, so that the latest year of a work wins.
    return {_work(book): book.year for book in editions.only(*_WORK, "year").order_by("year")}


def _work(book: Book) -> tuple[str, ...]:
    return tuple(getattr(book, field) for field in _WORK)


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28))
