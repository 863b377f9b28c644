"""Most, least and never borrowed titles."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart
from library.analytics.figures.query import Link, StatisticsQuery, Table
from library.analytics.selectors.collection import holdings
from library.analytics.selectors.titles import most_borrowed, never_borrowed, rarely_borrowed
from library.catalogue.models import Book
from library.circulation.selectors.calendar import library_date

#: Bars that can be read at a glance; CSV has more.
MAX_BARS = 25
MAX_TITLES = 1_000


def most(query: StatisticsQuery) -> Chart:
    """Return the most borrowed titles."""
    rows = most_borrowed(scope=query.scope, limit=MAX_BARS if query.limit else MAX_TITLES)
    return bar_chart(
        name="most",
        title=_("Most borrowed"),
        definition=_(
            "Checkouts per title in the selected period, excluding renewals and loans of "
            "borrowers excluded from statistics. Titles with fewer than %(least)s checkouts are "
            "not shown."
        )
        % {"least": settings.POPULARITY_MIN},
        labels=[_label(row.book) for row in rows],
        label_name=_("Title"),
        series=[Series(_("checkouts"), [row.checkouts for row in rows])],
        unit=_("checkouts"),
        horizontal=True,
    )


def least(query: StatisticsQuery) -> Table:
    """Return the rarely borrowed titles."""
    uses = rarely_borrowed(scope=query.scope)
    rows = (
        [*book_cells(use.book, query), use.last_checkout.year if use.last_checkout else ""]
        for use in limit_rows(uses, query)
    )
    return Table(
        name="least",
        title=_("Least borrowed"),
        definition=_(
            "Titles with at least one copy that have been borrowed, but fewer than %(least)s "
            "times in total; those unborrowed for the longest come first. Exact counts and dates "
            "are hidden to protect privacy."
        )
        % {"least": settings.POPULARITY_MIN},
        header=[*book_headings(), _("year last borrowed")],
        rows=rows,
        total=sum(row.rarely_borrowed for row in holdings(scope=query.scope)),
    )


def never(query: StatisticsQuery) -> Table:
    """Return the titles never borrowed."""
    books = never_borrowed(scope=query.scope)
    rows = (
        [*book_cells(book, query), library_date(at=book.created_at).isoformat()]
        for book in limit_rows(books, query)
    )
    return Table(
        name="never",
        title=_("Never borrowed"),
        definition=_(
            "Titles with at least one copy that have never been borrowed at any branch, oldest first."
        ),
        header=[*book_headings(), _("date added")],
        rows=rows,
        total=sum(row.titles - row.borrowed for row in holdings(scope=query.scope)),
    )


def limit_rows(rows: QuerySet, query: StatisticsQuery) -> Iterable:
    """Return the first rows or, without a limit, an iterator that reads all of them in chunks."""
    return rows[: query.limit] if query.limit else rows.iterator()


def book_headings() -> list[str]:
    """Return the headings of `book_cells`."""
    return [_("control number"), _("title"), _("authors"), _("year")]


def book_cells(book: Book, query: StatisticsQuery) -> list[object]:
    """Return the cells that describe a book."""
    year = "" if book.year is None else str(book.year)
    return [book.control_number, title_cell(book, query), book.authors, year]


def title_cell(book: Book, query: StatisticsQuery) -> object:
    """Return the title; on a page, as a link to the book."""
    if query.limit is None:
        return book.title
    return Link(book.title, reverse("admin:catalogue_book_change", args=[book.pk]))


def _label(book: Book) -> str:
    return f"{book.title} ({book.control_number})"
