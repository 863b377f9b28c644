"""``manage.py import_loans FILE``."""

from typing import Any

from django.utils import timezone

from library.circulation.importing.loans import import_loans
from library.console import ImportCommand, Progress


class Command(ImportCommand):
    help = (
        "Import loans from a CSV file: borrower, book, borrowed_at and, if known, returned_at, due_at, "
        "renewals. Dates are ISO 8601, without a time zone in the library's own. A borrower not known is "
        "made; the same borrower, book and borrowed_at are one loan. A blank returned_at means still on "
        "loan; loans of a book that overlap go to different copies, made where there are too few. Without "
        "a column returned_at the file is a history of checkouts: each loan counts as returned when it "
        "was due or when the book was next lent, whichever was first, and the last of a book stays open "
        "until it is due. A loan is due after 28 days unless due_at says otherwise. " + ImportCommand.rules
    )
    example = "manage.py import_loans loans.csv.gz"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        report = import_loans(
            path=options["file"],
            dry_run=options["dry_run"],
            strict=options["strict"],
            now=timezone.now(),
            progress=progress,
        )
        return report.as_dict()
