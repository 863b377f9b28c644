"""What the catalogue's pages import."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from library.admin_site.import_page import Importing
from library.catalogue.importing.books import COLUMNS, import_books
from library.catalogue.importing.categories import LABELS, import_categories
from library.tabular import ImportReport

BOOKS = Importing(
    title=_("Import books"),
    about=_(
        "Of these, id (the control number) is needed, and title for new books; a known id changes its book. "
        "A column left out leaves its values alone."
    ),
    columns=("id", *COLUMNS),
    needed=("catalogue.add_book", "catalogue.change_book", "catalogue.add_category", "catalogue.add_copy"),
    counts={
        "created": _("new books"),
        "updated": _("changed books"),
        "unchanged": _("unchanged books"),
        "skipped": _("rows left out"),
        "categories": _("new categories"),
        "copies": _("new copies"),
    },
    command="import_books",
    work=import_books,
)


def _import_categories(*, now: datetime, **options: Any) -> ImportReport:
    # They keep no time.
    return import_categories(**options)


CATEGORIES = Importing(
    title=_("Import categories"),
    about=_(
        "Of these, notation is needed; a known one changes its category. A parent is given by its notation, "
        "and one that is new to a known category moves it, which no undoing of a taxonomy change takes back. "
        "A column left out leaves its values alone. The categories are of the scheme local; "
        "manage.py import_categories takes those of others."
    ),
    columns=("notation", *LABELS, "parent"),
    needed=("catalogue.add_category", "catalogue.change_category"),
    counts={
        "created": _("new categories"),
        "updated": _("changed categories"),
        "unchanged": _("unchanged categories"),
        "skipped": _("rows left out"),
    },
    command="import_categories",
    work=_import_categories,
)
