"""The titles that are lent most, least and never."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart
from library.analytics.figures.query import Asked, Link, Listing
from library.analytics.selectors.collection import holdings
from library.analytics.selectors.titles import least_loaned, most_loaned, never_loaned
from library.catalogue.models import Book
from library.circulation.selectors.calendar import library_date

#: Bars that are read at a glance; CSV has more.
BARS = 25
MOST = 1_000


def most(asked: Asked) -> Chart:
    """Return the titles that were lent most."""
    found = most_loaned(scope=asked.scope, limit=BARS if asked.limit else MOST)
    return bar_chart(
        name="most",
        title=_("Most borrowed"),
        definition=_(
            "Checkouts of the title within the time chosen, renewals not counted. Titles with fewer than "
            "%(least)s are not shown, and loans of borrowers who are left out of statistics do not count."
        )
        % {"least": settings.POPULARITY_MIN},
        labels=[_called(lent.book) for lent in found],
        label_name=_("Title"),
        series=[Series(_("checkouts"), [lent.checkouts for lent in found])],
        unit=_("checkouts"),
        horizontal=True,
    )


def least(asked: Asked) -> Listing:
    """Return the titles that were lent, but seldom."""
    uses = least_loaned(scope=asked.scope)
    rows = (
        [*book_cells(use.book, asked), use.last_checkout.year if use.last_checkout else ""]
        for use in limited(uses, asked)
    )
    return Listing(
        name="least",
        title=_("Least borrowed"),
        definition=_(
            "Titles with a copy that were lent at least once but fewer than %(least)s times since ever, "
            "those unborrowed for the longest first. How often and on which day is not told: somebody could "
            "be recognised."
        )
        % {"least": settings.POPULARITY_MIN},
        header=[*book_headings(), _("last borrowed in")],
        rows=rows,
        total=sum(row.seldom_lent for row in holdings(scope=asked.scope)),
    )


def never(asked: Asked) -> Listing:
    """Return the titles that were never lent."""
    books = never_loaned(scope=asked.scope)
    rows = (
        [*book_cells(book, asked), library_date(at=book.created_at).isoformat()]
        for book in limited(books, asked)
    )
    return Listing(
        name="never",
        title=_("Never borrowed"),
        definition=_(
            "Titles with a copy that were lent at no branch since ever, those longest in the catalogue first."
        ),
        header=[*book_headings(), _("in the catalogue since")],
        rows=rows,
        total=sum(row.titles - row.lent for row in holdings(scope=asked.scope)),
    )


def limited(rows: QuerySet, asked: Asked) -> Iterable:
    """Return as many rows as are asked for; all of them are read as they are sent."""
    return rows[: asked.limit] if asked.limit else rows.iterator()


def book_headings() -> list[str]:
    """Return the headings over `book_cells`."""
    return [_("control number"), _("title"), _("authors"), _("year")]


def book_cells(book: Book, asked: Asked) -> list[object]:
    """Return what a list tells of a title; on a page, which is short, with a link to it."""
    year = "" if book.year is None else str(book.year)
    return [book.control_number, titled(book, asked), book.authors, year]


def titled(book: Book, asked: Asked) -> object:
    """Return a title, on a page as a link to the book."""
    if asked.limit is None:
        return book.title
    return Link(book.title, reverse("admin:catalogue_book_change", args=[book.pk]))


def _called(book: Book) -> str:
    return f"{book.title} ({book.control_number})"
