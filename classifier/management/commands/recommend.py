"""``manage.py recommend``: titles for each borrower."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "recommend"
    help = (
        "Recommend titles to each borrower who has a loan, from what readers of the same books borrowed and "
        "from what reads alike, and keep the similar titles of each book."
    )
    example = "manage.py recommend -n 10 --output recommendations.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-n", type=int, default=10, help="titles a borrower (default 10)")
        parser.add_argument(
            "--include-borrowed", action="store_true", help="titles the borrower has had may come again"
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE.csv", help="also write borrower,rank,book,score,reason"
        )
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["n"] < 1:
            raise CommandError("-n must be 1 or more.", returncode=2)
        return {"n": options["n"], "include_borrowed": options["include_borrowed"]}
