"""``manage.py anonymise_loans``: run the nightly anonymising by hand."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.circulation.services.anonymisation import anonymise_loans
from library.console import Command as BaseCommand
from library.console import Progress, format_table


class Command(BaseCommand):
    help = (
        "Remove the borrower from loans and ended holds whose retention period is over: the period that the "
        "borrower chose, or else RETENTION_MONTHS. The number of checkouts of each title is kept. Open loans "
        "and loans with a balance due are skipped. Runs every night; an interrupted run resumes when run "
        "again. See library/people/PRIVACY.md."
    )
    example = "manage.py anonymise_loans --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="report what would be anonymised; change nothing"
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return anonymise_loans(now=timezone.now(), dry_run=options["dry_run"], progress=progress).as_dict()

    def show(self, result: dict[str, Any]) -> None:
        rows = [
            [branch, *(str(row[kind]) for kind in ("loans", "holds", "owed"))]
            for branch, row in sorted(result["branches"].items())
        ]
        columns = ["branch", "loans", "holds", "skipped: balance due"]
        title = "Would be anonymised" if result["dry_run"] else "Anonymised"
        if rows:
            self.stdout.write(format_table(title=title, columns=columns, rows=rows))
        self.stdout.write(
            f"{title}: loans: {result['loans']}, holds: {result['holds']}, events of holds: "
            f"{result['events']}. Loans skipped because of a balance due: {result['owed']}. "
            f"Co-borrowed pairs counted: {result['pairs_kept']}, dropped because too few borrowers had them: "
            f"{result['pairs_lost']}."
        )
