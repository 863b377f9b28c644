"""Working lists: purchase suggestions, weeding candidates and the shelf list."""

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.analytics.figures.query import StatisticsQuery, Table
from library.analytics.figures.titles import book_cells, book_headings, limit_rows, title_cell
from library.analytics.selectors.purchase import purchase_suggestions, total_holds_and_copies
from library.analytics.selectors.shelf_list import shelf_list
from library.analytics.selectors.weeding import weeding_candidates, with_reasons
from library.catalogue.models import Copy

_REASONS = {
    "unborrowed": gettext_lazy("not borrowed for years"),
    "old": gettext_lazy("old"),
    "superseded": gettext_lazy("newer edition held"),
    "spare_copies": gettext_lazy("multiple copies"),
}


def purchase(query: StatisticsQuery) -> Table:
    """Return the titles with too few copies."""
    suggestions = purchase_suggestions(scope=query.scope)
    holds, copies = total_holds_and_copies(scope=query.scope)
    return Table(
        name="purchase",
        title=_("Titles with too few copies"),
        definition=_(
            "Titles with more than %(most)s active holds per copy (HOLDS_PER_COPY), and how many "
            "copies to buy to reach that ratio. Titles with fewer than %(least)s holds are not "
            "shown. All titles with holds: %(holds)s holds, %(copies)s copies."
        )
        % {
            "most": settings.HOLDS_PER_COPY,
            "least": settings.POPULARITY_MIN,
            "holds": holds,
            "copies": copies,
        },
        header=[*book_headings(), _("holds"), _("copies"), _("copies to buy")],
        rows=[
            [*book_cells(row.book, query), row.holds, row.copies, row.to_buy]
            for row in suggestions[: query.limit]
        ],
        total=len(suggestions),
    )


def weeding(query: StatisticsQuery) -> Table:
    """Return the weeding candidates."""
    books = weeding_candidates(scope=query.scope, now=query.now)
    candidates = with_reasons(scope=query.scope, books=books, now=query.now, limit=query.limit)
    rows = (
        [
            *book_cells(candidate.book, query),
            str(candidate.book.category or ""),
            candidate.copies,
            candidate.last_borrowed or _("never"),
            ", ".join(str(_REASONS[reason]) for reason in candidate.reasons),
        ]
        for candidate in candidates
    )
    return Table(
        name="weeding",
        title=_("Titles to consider for weeding"),
        definition=_(
            "Titles without holds that have been in the catalogue for at least %(unborrowed)s "
            "years and have not been borrowed in that time; titles never borrowed come first. "
            "“Old” means published more than %(old)s years ago. Both criteria come from the CREW "
            "method (Texas State Library, 2012). A newer edition has the same title, subtitle, "
            "authors and language and a later year. Staff need to check accuracy, condition and "
            "availability elsewhere."
        )
        % {"unborrowed": settings.WEEDING_YEARS_UNBORROWED, "old": settings.WEEDING_YEARS_OLD},
        header=[*book_headings(), _("category"), _("copies"), _("year last borrowed"), _("reasons")],
        rows=rows,
        total=books.count() if query.limit else 0,
    )


def shelf(query: StatisticsQuery) -> Table:
    """Return the copies in shelf order."""
    copies = shelf_list(scope=query.scope)
    # Translated once, because the list may cover all copies.
    statuses = {status.value: str(status.label) for status in Copy.Status}
    rows = (
        [
            copy.call_number,
            copy.shelf_location,
            title_cell(copy.book, query),
            copy.book.authors,
            copy.barcode,
            statuses[copy.status],
        ]
        for copy in limit_rows(copies, query)
    )
    return Table(
        name="shelf",
        title=_("Copies in shelf order"),
        definition=_(
            "Copies by shelf location and call number, excluding lost and withdrawn copies. The "
            "status shows which copies should be on the shelf."
        ),
        header=[_("call number"), _("shelf location"), _("title"), _("authors"), _("barcode"), _("status")],
        rows=rows,
        total=copies.count() if query.limit else 0,
    )
