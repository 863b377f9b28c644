"""Import pages of the catalogue."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from library.admin_site.import_page import ImportSpec
from library.catalogue.importing.books import COLUMNS, import_books
from library.catalogue.importing.categories import LABELS, import_categories
from library.tabular import ImportReport

BOOKS = ImportSpec(
    title=_("Import books"),
    description=_(
        "Required columns: id (control number), and title for new books. A row with an "
        "existing id updates that book. Omitted columns leave existing values unchanged."
    ),
    columns=("id", *COLUMNS),
    permissions=(
        "catalogue.add_book",
        "catalogue.change_book",
        "catalogue.add_category",
        "catalogue.add_copy",
    ),
    count_labels={
        "created": _("new books"),
        "updated": _("updated books"),
        "unchanged": _("unchanged books"),
        "skipped": _("skipped rows"),
        "categories": _("new categories"),
        "copies": _("new copies"),
    },
    command="import_books",
    importer=import_books,
)


def _import_categories(*, now: datetime, **options: Any) -> ImportReport:
    # Categories store no times.
    return import_categories(**options)


CATEGORIES = ImportSpec(
    title=_("Import categories"),
    description=_(
        "Required column: notation. A row with an existing notation updates that category. "
        "parent is the notation of the parent category; a different parent moves an existing "
        "category, and such a move is not recorded under Category changes and cannot be "
        "undone there. Omitted columns leave existing values unchanged. Categories are "
        "imported into the scheme local; for other schemes, use manage.py import_categories."
    ),
    columns=("notation", *LABELS, "parent"),
    permissions=("catalogue.add_category", "catalogue.change_category"),
    count_labels={
        "created": _("new categories"),
        "updated": _("updated categories"),
        "unchanged": _("unchanged categories"),
        "skipped": _("skipped rows"),
    },
    command="import_categories",
    importer=_import_categories,
)
