"""What the page of the loans imports."""

from django.utils.translation import gettext_lazy as _

from library.admin_site.import_page import Importing
from library.circulation.importing.loans import OPTIONAL, REQUIRED, import_loans

LOANS = Importing(
    title=_("Import loans"),
    about=_(
        "Of these, borrower (the card number), book (the control number) and borrowed_at are needed; where "
        "all three are known, the loan is. Borrowers who are not known are made, and copies where there are "
        "too few. A blank returned_at means still on loan; without that column a loan counts as returned "
        "when it was due or when the book was next lent. Dates are such as 2024-05-31 or "
        "2024-05-31T14:30:00Z."
    ),
    columns=(*REQUIRED, *OPTIONAL),
    needed=(
        "circulation.add_loan",
        "circulation.change_loan",
        "people.view_borrower",
        "people.add_borrower",
        "catalogue.add_copy",
    ),
    counts={
        "created": _("new loans"),
        "updated": _("changed loans"),
        "unchanged": _("unchanged loans"),
        "skipped": _("rows left out"),
        "borrowers": _("new borrowers"),
        "copies": _("new copies"),
    },
    command="import_loans",
    work=import_loans,
)
