"""``manage.py export_borrower``: export everything stored about one borrower as JSON."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from library.console import Command as BaseCommand
from library.console import Progress
from library.errors import LibraryError
from library.people.models import AuditEntry, Borrower
from library.people.selectors import borrower_with_card, export_borrower
from library.people.services.audit import write_entry


class OutputError(LibraryError):
    """The file cannot be written."""


class Command(BaseCommand):
    help = (
        "Print everything stored about one borrower as JSON, to answer a data subject access request. The "
        "export is recorded in the audit log."
    )
    example = "manage.py export_borrower P1234 --output P1234.json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("card", help="the borrower's card number")
        parser.add_argument(
            "--output", type=Path, help="write to a new file that only its owner can read; default: print"
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        now = timezone.now()
        borrower = borrower_with_card(card_number=options["card"])
        exported = export_borrower(borrower=borrower, now=now)
        write_entry(
            user=None,
            action=AuditEntry.Action.EXPORTED,
            path="manage.py export_borrower",
            now=now,
            model=Borrower,
            object_key=borrower.pk,
        )
        if (output := options["output"]) is None:
            return exported
        write_private_file(output, json.dumps(exported, ensure_ascii=False, indent=2))
        return {"file": str(output)}

    def show(self, result: dict[str, Any]) -> None:
        if "file" in result:
            self.stdout.write(f"Written to {result['file']}.")
        else:
            self.stdout.write(json.dumps(result, ensure_ascii=False, indent=2))


def write_private_file(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        text = _("Cannot write %(file)s (%(error)s). Specify a new file in an existing folder.")
        raise OutputError(text % {"file": path, "error": error.strerror}) from error
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
