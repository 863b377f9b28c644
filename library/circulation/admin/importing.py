"""Import page of loans."""

from django.utils.translation import gettext_lazy as _

from library.admin_site.import_page import ImportSpec
from library.circulation.importing.loans import OPTIONAL, REQUIRED, import_loans

LOANS = ImportSpec(
    title=_("Import loans"),
    description=_(
        "Required columns: borrower (card number), book (control number) and borrowed_at; a "
        "row that matches an existing loan in all three is treated as the same loan. Missing "
        "borrowers are created, and so are copies where a book has too few. A blank "
        "returned_at means the copy is still on loan; without that column, each loan is "
        "treated as returned on its due date or when the book was next checked out. Write "
        "dates as 2024-05-31 or 2024-05-31T14:30:00Z."
    ),
    columns=(*REQUIRED, *OPTIONAL),
    permissions=(
        "circulation.add_loan",
        "circulation.change_loan",
        "people.view_borrower",
        "people.add_borrower",
        "catalogue.add_copy",
    ),
    count_labels={
        "created": _("new loans"),
        "updated": _("updated loans"),
        "unchanged": _("unchanged loans"),
        "skipped": _("skipped rows"),
        "borrowers": _("new borrowers"),
        "copies": _("new copies"),
    },
    command="import_loans",
    importer=import_loans,
)
