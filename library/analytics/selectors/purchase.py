"""Titles of which there are too few copies for those who wait."""

import math
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count

from library.analytics.selectors.scope import Scope
from library.catalogue.models import Book, Copy
from library.circulation.models import Hold


@dataclass(frozen=True)
class Wanted:
    """A title for which more wait than its copies can serve.

    Attributes
    ----------
    book : Book
    holds, copies : int
        Active holds, and copies that can be lent.
    to_buy : int
        So many copies more, and no copy has more than ``HOLDS_PER_COPY`` holds.
    """

    book: Book
    holds: int
    copies: int
    to_buy: int


def wanted_titles(*, scope: Scope) -> list[Wanted]:
    """Return the titles with more than ``HOLDS_PER_COPY`` active holds a copy, the most holds first.

    A title with fewer than ``POPULARITY_MIN`` holds is not told of. Of a branch, holds to be fetched there
    count and its copies.
    """
    active = Hold.objects.filter(
        scope.places(branch="pickup_branch", category="book__category"), status__in=Hold.ACTIVE
    ).order_by()
    rows = active.values("book").annotate(number=Count("pk")).filter(number__gte=settings.POPULARITY_MIN)
    holds = dict(rows.values_list("book", "number"))
    wanted = rows.values("book")
    copies = Copy.objects.filter(scope.places(), book__in=wanted).exclude(status__in=Copy.GONE).order_by()
    held = dict(copies.values_list("book").annotate(Count("pk")))
    books = {book.pk: book for book in Book.objects.filter(pk__in=wanted)}
    most = settings.HOLDS_PER_COPY
    found = [
        Wanted(books[book], number, held.get(book, 0), math.ceil(number / most) - held.get(book, 0))
        for book, number in holds.items()
        if book in books and number > most * held.get(book, 0)
    ]
    return sorted(found, key=lambda found: (-found.holds, found.book.control_number))


def holds_of_all(*, scope: Scope) -> tuple[int, int]:
    """Return how many active holds there are, and copies that can be lent of the titles they are on."""
    active = Hold.objects.filter(
        scope.places(branch="pickup_branch", category="book__category"), status__in=Hold.ACTIVE
    ).order_by()
    copies = Copy.objects.filter(scope.places(), book__in=active.values("book")).exclude(status__in=Copy.GONE)
    return active.count(), copies.count()
