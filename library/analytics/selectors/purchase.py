"""Titles with too few copies for their holds."""

import math
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count

from library.analytics.selectors.scope import Scope
from library.catalogue.models import Book, Copy
from library.circulation.models import Hold


@dataclass(frozen=True)
class PurchaseSuggestion:
    """A title with more holds than its copies can serve.

    Attributes
    ----------
    holds
        Active holds.
    copies
        Copies that can circulate.
    to_buy
        Copies to add so that no copy has more than ``HOLDS_PER_COPY`` holds.
    """

    book: Book
    holds: int
    copies: int
    to_buy: int


def purchase_suggestions(*, scope: Scope) -> list[PurchaseSuggestion]:
    """Return the titles with more than ``HOLDS_PER_COPY`` active holds per copy, most holds first.

    Titles with fewer than ``POPULARITY_MIN`` holds are omitted for privacy. For a branch, holds to be picked
    up there and the branch's own copies count.
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
    ratio = settings.HOLDS_PER_COPY
    suggestions = [
        PurchaseSuggestion(
            books[book], number, held.get(book, 0), math.ceil(number / ratio) - held.get(book, 0)
        )
        for book, number in holds.items()
        if book in books and number > ratio * held.get(book, 0)
    ]
    return sorted(suggestions, key=lambda row: (-row.holds, row.book.control_number))


def total_holds_and_copies(*, scope: Scope) -> tuple[int, int]:
    """Return the number of active holds, and of copies that can circulate of the titles on hold."""
    active = Hold.objects.filter(
        scope.places(branch="pickup_branch", category="book__category"), status__in=Hold.ACTIVE
    ).order_by()
    copies = Copy.objects.filter(scope.places(), book__in=active.values("book")).exclude(status__in=Copy.GONE)
    return active.count(), copies.count()
