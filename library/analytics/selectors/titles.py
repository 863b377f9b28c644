"""Which titles are lent most, least and never."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from library.analytics.models import TitleUse
from library.analytics.selectors.scope import Scope
from library.catalogue.models import Book, Copy
from library.circulation.models import LeftOutLoans, LoanEvent
from library.db import KEYS_A_QUERY
from library.people.models import Borrower


@dataclass(frozen=True)
class Lent:
    """A title and how often it was lent."""

    book: Book
    checkouts: int


def most_loaned(*, scope: Scope, limit: int) -> list[Lent]:
    """Return the titles that were lent most, the most lent first.

    Counted as for the lists of popular titles: loans of borrowers who are left out of statistics do not
    count, and those of them that are forgotten, of which nobody knows branch and day any more, are taken off
    the title's number wherever it is asked for. A title with fewer than ``POPULARITY_MIN`` is not told of.

    Parameters
    ----------
    scope : Scope
    limit : int

    Returns
    -------
    list of Lent
    """
    events = LoanEvent.objects.filter(
        scope.moments(), scope.places(category="book__category"), kind=LoanEvent.Kind.CHECKOUT
    ).order_by()
    out = Borrower.objects.filter(left_out=True).order_by().values_list("pk", flat=True)
    some = list(out[: KEYS_A_QUERY + 1])
    if some:
        # A list is quicker than a join, where it is short.
        known = ~Q(borrower__in=some) if len(some) <= KEYS_A_QUERY else ~Q(borrower__left_out=True)
        events = events.filter(Q(borrower=None) | known)
    less = dict(LeftOutLoans.objects.values_list("book", "count"))
    rows = events.values_list("book").annotate(number=Count("*"))
    rows = rows.filter(number__gte=settings.POPULARITY_MIN).order_by("-number", "book")
    # Each title that something is taken off may make room for one more.
    numbers = [(number - less.get(book, 0), book) for book, number in rows[: limit + len(less)]]
    numbers = [pair for pair in numbers if pair[0] >= settings.POPULARITY_MIN]
    numbers.sort(key=lambda pair: (-pair[0], pair[1]))
    return _with_books(numbers[:limit])


def never_loaned(*, scope: Scope) -> QuerySet[Book]:
    """Return the titles with a copy that was never lent, those longest in the catalogue first.

    Never is since ever, at any branch; of the scope, branch and category count. A title that came after the
    last refresh of the summary tables is not among them yet.
    """
    books = titles_held(scope=scope).filter(use__last_checkout=None)
    return books.order_by("created_at", "pk").defer("description")  # long, and no list tells it


def least_loaned(*, scope: Scope) -> QuerySet[TitleUse]:
    """Return the titles with a copy that were lent, though seldom, those unborrowed for the longest first.

    Seldom is fewer than ``POPULARITY_MIN`` times since ever, at any branch; how often is not told.
    """
    rows = TitleUse.objects.filter(checkouts__gte=1, checkouts__lt=settings.POPULARITY_MIN)
    rows = rows.filter(scope.places(branch="", category="category"))
    held = Exists(copies_held(scope=scope).filter(book=OuterRef("book")))
    rows = rows.filter(held).select_related("book").defer("book__description")
    return rows.order_by("last_checkout", "pk")


def copies_held(*, scope: Scope) -> QuerySet[Copy]:
    """Return the copies at the scope's branch that can be lent, now or later."""
    return Copy.objects.filter(scope.places()).exclude(status__in=Copy.GONE).order_by()


def titles_held(*, scope: Scope) -> QuerySet[Book]:
    """Return the titles of the scope's category with a copy at its branch, as far as they are counted."""
    # The category as it was counted: it stands in the small table where a title's use does.
    books = Book.objects.filter(scope.places(branch="", category="use__category"), use__isnull=False)
    return books.filter(Exists(copies_held(scope=scope).filter(book=OuterRef("pk"))))


def _with_books(numbers: list[tuple[int, int]]) -> list[Lent]:
    books = Book.objects.in_bulk([book for _number, book in numbers])
    return [Lent(books[book], number) for number, book in numbers if book in books]
