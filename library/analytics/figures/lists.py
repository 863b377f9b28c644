"""Lists to work with: what to buy, what to weed, what should stand where."""

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.analytics.figures.query import Asked, Listing
from library.analytics.figures.titles import book_cells, book_headings, limited, titled
from library.analytics.selectors.purchase import holds_of_all, wanted_titles
from library.analytics.selectors.shelf_list import shelf_list
from library.analytics.selectors.weeding import weeding_candidates, with_reasons
from library.catalogue.models import Copy

_REASONS = {
    "unborrowed": gettext_lazy("not borrowed for years"),
    "old": gettext_lazy("old"),
    "superseded": gettext_lazy("a newer edition is held"),
    "spare_copies": gettext_lazy("several copies"),
}


def wanted(asked: Asked) -> Listing:
    """Return the titles of which copies should be bought."""
    found = wanted_titles(scope=asked.scope)
    holds, copies = holds_of_all(scope=asked.scope)
    return Listing(
        name="wanted",
        title=_("Titles with too few copies"),
        definition=_(
            "Titles with more than %(most)s active holds for each copy (HOLDS_PER_COPY), and how many copies "
            "more would make it that many; fewer than %(least)s holds are not told of. All titles with holds "
            "together have %(holds)s holds and %(copies)s copies."
        )
        % {
            "most": settings.HOLDS_PER_COPY,
            "least": settings.POPULARITY_MIN,
            "holds": holds,
            "copies": copies,
        },
        header=[*book_headings(), _("holds"), _("copies"), _("copies to buy")],
        rows=[
            [*book_cells(row.book, asked), row.holds, row.copies, row.to_buy] for row in found[: asked.limit]
        ],
        total=len(found),
    )


def weeding(asked: Asked) -> Listing:
    """Return the titles that may be taken off the shelves."""
    books = weeding_candidates(scope=asked.scope, now=asked.now)
    candidates = with_reasons(scope=asked.scope, books=books, now=asked.now, limit=asked.limit)
    rows = (
        [
            *book_cells(found.book, asked),
            str(found.book.category or ""),
            found.copies,
            found.last or _("never"),
            ", ".join(str(_REASONS[reason]) for reason in found.reasons),
        ]
        for found in candidates
    )
    return Listing(
        name="weeding",
        title=_("Titles that may be weeded"),
        definition=_(
            "Titles that nobody has borrowed for %(unborrowed)s years, have been in the catalogue for as "
            "long, and have no holds; those never borrowed come first. Old is what appeared more than "
            "%(old)s years ago. Both are measures of the CREW method (Texas State Library, 2012). A newer "
            "edition has the same title, subtitle, authors and language. Whether a book is wrong, worn or to "
            "be had elsewhere is for a person to see."
        )
        % {"unborrowed": settings.WEEDING_YEARS_UNBORROWED, "old": settings.WEEDING_YEARS_OLD},
        header=[*book_headings(), _("category"), _("copies"), _("last borrowed in"), _("reasons")],
        rows=rows,
        total=books.count() if asked.limit else 0,
    )


def shelf(asked: Asked) -> Listing:
    """Return the copies in the order of the shelves."""
    copies = shelf_list(scope=asked.scope)
    # Translated once and not for each of what may be all copies.
    statuses = {status.value: str(status.label) for status in Copy.Status}
    rows = (
        [
            copy.call_number,
            copy.shelf_location,
            titled(copy.book, asked),
            copy.book.authors,
            copy.barcode,
            statuses[copy.status],
        ]
        for copy in limited(copies, asked)
    )
    return Listing(
        name="shelf",
        title=_("Copies in the order of the shelves"),
        definition=_(
            "Copies by shelf location and call number, without lost and withdrawn ones: what should stand "
            "on the shelves, or says where it is."
        ),
        header=[_("call number"), _("shelf location"), _("title"), _("authors"), _("barcode"), _("status")],
        rows=rows,
        total=copies.count() if asked.limit else 0,
    )
