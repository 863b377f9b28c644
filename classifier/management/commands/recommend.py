"""``manage.py recommend``: update recommendations."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "recommend"
    help = (
        "Recommend titles to each borrower with a loan, by what borrowers of the same books borrowed and by "
        "similar content, and store the similar titles of each book."
    )
    example = "manage.py recommend -n 10 --output recommendations.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-n", type=int, default=10, help="titles per borrower (default 10)")
        parser.add_argument(
            "--include-borrowed", action="store_true", help="include titles that the borrower has had"
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE.csv", help="also write borrower,rank,book,score,reason"
        )
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["n"] < 1:
            raise CommandError("-n must be 1 or more.", returncode=2)
        return {"n": options["n"], "include_borrowed": options["include_borrowed"]}
