"""Most, least and never borrowed titles."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from library.analytics.models import TitleUse
from library.analytics.selectors.scope import Scope
from library.catalogue.models import Book, Copy
from library.circulation.models import ExcludedLoanCount, LoanEvent
from library.db import KEYS_PER_QUERY
from library.people.models import Borrower


@dataclass(frozen=True)
class TitleCheckouts:
    """A title and the number of its checkouts."""

    book: Book
    checkouts: int


def most_borrowed(*, scope: Scope, limit: int) -> list[TitleCheckouts]:
    """Return the most borrowed titles, most checkouts first.

    The rules are those of the lists of popular titles. Loans of borrowers excluded from statistics do not
    count. Their anonymised loans have no branch and day any more, so they are subtracted from the title's
    number for every scope. Titles with fewer than ``POPULARITY_MIN`` checkouts are omitted.
    """
    events = LoanEvent.objects.filter(
        scope.dates(), scope.places(category="book__category"), kind=LoanEvent.Kind.CHECKOUT
    ).order_by()
    excluded = Borrower.objects.filter(excluded_from_statistics=True).order_by().values_list("pk", flat=True)
    keys = list(excluded[: KEYS_PER_QUERY + 1])
    if keys:
        # A short list is faster than a join.
        counted = (
            ~Q(borrower__in=keys)
            if len(keys) <= KEYS_PER_QUERY
            else ~Q(borrower__excluded_from_statistics=True)
        )
        events = events.filter(Q(borrower=None) | counted)
    subtracted = dict(ExcludedLoanCount.objects.values_list("book", "count"))
    rows = events.values_list("book").annotate(number=Count("*"))
    rows = rows.filter(number__gte=settings.POPULARITY_MIN).order_by("-number", "book")
    # Each title with a subtraction may drop out and make room for another.
    numbers = [(number - subtracted.get(book, 0), book) for book, number in rows[: limit + len(subtracted)]]
    numbers = [pair for pair in numbers if pair[0] >= settings.POPULARITY_MIN]
    numbers.sort(key=lambda pair: (-pair[0], pair[1]))
    return _with_books(numbers[:limit])


def never_borrowed(*, scope: Scope) -> QuerySet[Book]:
    """Return the held titles that have never been borrowed at any branch, oldest first.

    The scope's branch and category select the titles. Titles added after the last refresh of the summary
    tables are not included yet.
    """
    books = titles_held(scope=scope).filter(use__last_checkout=None)
    return books.order_by("created_at", "pk").defer("description")  # long, and no list shows it


def rarely_borrowed(*, scope: Scope) -> QuerySet[TitleUse]:
    """Return the held titles that are rarely borrowed, those unborrowed for the longest first.

    Rarely means at least once, but fewer than ``POPULARITY_MIN`` times in total at all branches. The exact
    number must not be published.
    """
    rows = TitleUse.objects.filter(checkouts__gte=1, checkouts__lt=settings.POPULARITY_MIN)
    rows = rows.filter(scope.places(branch="", category="category"))
    held = Exists(copies_held(scope=scope).filter(book=OuterRef("book")))
    rows = rows.filter(held).select_related("book").defer("book__description")
    return rows.order_by("last_checkout", "pk")


def copies_held(*, scope: Scope) -> QuerySet[Copy]:
    """Return the copies at the scope's branch that can circulate, now or later."""
    return Copy.objects.filter(scope.places()).exclude(status__in=Copy.GONE).order_by()


def titles_held(*, scope: Scope) -> QuerySet[Book]:
    """Return the counted titles of the scope's category with a copy at its branch."""
    # The category at counting time, which is in the same small table as the title's use.
    books = Book.objects.filter(scope.places(branch="", category="use__category"), use__isnull=False)
    return books.filter(Exists(copies_held(scope=scope).filter(book=OuterRef("pk"))))


def _with_books(numbers: list[tuple[int, int]]) -> list[TitleCheckouts]:
    books = Book.objects.in_bulk([book for _number, book in numbers])
    return [TitleCheckouts(books[book], number) for number, book in numbers if book in books]
