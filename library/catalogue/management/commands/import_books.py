"""``manage.py import_books FILE``."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import ImportCommand, Progress


class Command(ImportCommand):
    help = (
        "Import books from a CSV file: id, title, subtitle, authors, publisher, year, language, isbn, "
        "description, category, cover, audio. The id is the control number. An existing book is updated, a "
        "new one gets a copy with its control number as barcode. A missing column leaves its values "
        "unchanged. A blank cell clears its value, but never a category. " + ImportCommand.rules
    )
    example = "manage.py import_books books.csv.gz --covers covers/"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--covers",
            type=Path,
            metavar="DIR",
            help="folder of the cover files (default: the folder covers beside FILE, if it exists)",
        )
        parser.add_argument(
            "--audio",
            type=Path,
            metavar="DIR",
            help="folder of the recordings: WAV, FLAC or OGG (default: the folder audio beside FILE, "
            "if it exists)",
        )
        parser.add_argument(
            "--scheme", default="local", help="scheme of the categories (default: %(default)s)"
        )
        parser.add_argument(
            "--overwrite-categories",
            action="store_true",
            help="also replace categories that a librarian set; by default they are never overwritten",
        )

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        # Imported here: Pillow is not needed to show --help.
        from library.catalogue.importing.books import import_books

        report = import_books(
            path=options["file"],
            covers=options["covers"],
            audio=options["audio"],
            dry_run=options["dry_run"],
            strict=options["strict"],
            overwrite_categories=options["overwrite_categories"],
            scheme=options["scheme"],
            now=timezone.now(),
            progress=progress,
        )
        return report.as_dict()
