"""``manage.py forget_loans``: what the nightly run does, or would do."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.circulation.services.anonymisation import forget_loans
from library.console import Command as BaseCommand
from library.console import Progress, as_text


class Command(BaseCommand):
    help = (
        "Forget who had the loans and the finished holds whose time is over: as borrowers chose, else after "
        "RETENTION_MONTHS; how often each title was lent stays. Loans that are out and those for which "
        "something is owed are spared. Runs every night by itself; stopped, it goes on when run again. See "
        "library/people/PRIVACY.md."
    )
    example = "manage.py forget_loans --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be forgotten, keep it")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return forget_loans(now=timezone.now(), dry_run=options["dry_run"], progress=progress).as_dict()

    def show(self, result: dict[str, Any]) -> None:
        rows = [
            [branch, *(str(row[kind]) for kind in ("loans", "holds", "owed"))]
            for branch, row in sorted(result["branches"].items())
        ]
        columns = ["branch", "loans", "holds", "spared: something is owed"]
        title = "What would be forgotten" if result["dry_run"] else "What was forgotten"
        self.stdout.write(as_text(title=title, columns=columns, rows=rows))
        self.stdout.write(
            f"{result['loans']} loans, {result['holds']} holds and {result['events']} events of holds; "
            f"{result['owed']} loans spared. Pairs of titles that the same borrower had: "
            f"{result['pairs_kept']} counted, {result['pairs_lost']} lost, as too few had them."
        )
