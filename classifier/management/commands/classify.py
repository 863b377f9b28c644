"""``manage.py classify``: suggest categories."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Suggest categories for the books that have none, with the active version: three ranks a book, kept "
        "as suggestions beside the book. A book's own category is never changed."
    )
    example = "manage.py classify --output suggestions.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="every book, not only those without a category"
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE.csv",
            help="also write book,rank,category,probability,model_version",
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.reclassification import classify  # loads torch, which --help can do without

        return classify(
            now=timezone.now(),
            include_categorised=options["all"],
            output=options["output"],
            progress=progress,
        )
