"""``manage.py retention_report``: measure the cost of retention periods."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.running import add_settings
from library.console import Command as BaseCommand
from library.console import Progress, format_table


class Command(BaseCommand):
    help = (
        "Measure on this library's own books and loans how much worse categories and recommendations would "
        "be if loans were anonymised after 24, 12, 6 or 3 months or at return. Nothing is changed. Trains "
        "six times, which takes minutes. See RETENTION_MONTHS in library/people/PRIVACY.md."
    )
    example = "manage.py retention_report --output retention.svg"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=0, help="random seed of the training (default 0)")
        parser.add_argument("--output", type=Path, metavar="FILE.svg", help="also write a chart")
        add_settings(parser, help_text="change a setting of the training; may be repeated")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.recommendation.retention_report import (
            measure_retention,  # imports torch, which --help does not need
        )

        return measure_retention(
            now=timezone.now(),
            seed=options["seed"],
            settings=options["settings_"],
            output=options["output"],
            progress=progress,
        )

    def show(self, result: dict[str, Any]) -> None:
        rows = [
            [
                "all" if row["months"] is None else f"{row['months']} months",
                str(row["loans"]),
                str(row["pairs"]),
                *(f"{row[key]:.3f}" for key in ("accuracy", "macro_f1", "hit_rate")),
            ]
            for row in result["settings"]
        ]
        columns = ["retention", "loans", "pairs kept", "accuracy", "macro-F1", "hit rate at 10"]
        title = f"On {result['books']} held-out books and the last loan of {result['borrowers']} borrowers"
        self.stdout.write(format_table(title=title, columns=columns, rows=rows))
