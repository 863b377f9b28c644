"""``manage.py import_categories FILE``."""

from typing import Any

from django.core.management.base import CommandParser

from library.catalogue.importing.categories import import_categories
from library.console import ImportCommand, Progress


class Command(ImportCommand):
    help = (
        "Import categories from a CSV file: notation, label_en, label_zh, parent. An existing category is "
        "updated. The parent is a notation too, and may come later in the file. " + ImportCommand.rules
    )
    example = "manage.py import_categories categories.csv --scheme ddc"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--scheme", default="local", help="scheme of the categories (default: %(default)s)"
        )

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        report = import_categories(
            path=options["file"],
            scheme=options["scheme"],
            dry_run=options["dry_run"],
            strict=options["strict"],
            progress=progress,
        )
        return report.as_dict()
