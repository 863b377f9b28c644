"""``manage.py import_loans FILE``: import loans from CSV."""

from typing import Any

from django.utils import timezone

from library.circulation.importing.loans import import_loans
from library.console import ImportCommand, Progress


class Command(ImportCommand):
    help = (
        "Import loans from a CSV file: borrower, book, borrowed_at and optionally returned_at, due_at, "
        "renewals. Dates are ISO 8601; without an offset they are in the time zone of the library. Missing "
        "borrowers are created. Rows with the same borrower, book and borrowed_at are one loan. A blank "
        "returned_at means still on loan. Overlapping loans of a book go to different copies; missing copies "
        "are created. A file without the column returned_at is a checkout history: each loan counts as "
        "returned when it was due or when the book was next checked out, whichever was first, and the last "
        "loan of a book stays open until it is due. A loan without due_at is due after 28 days. "
        + ImportCommand.rules
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
