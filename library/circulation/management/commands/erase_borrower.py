"""``manage.py erase_borrower CARD``: erase a borrower and anonymise all loans."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from library.circulation.services.anonymisation import truncate_write_ahead_log
from library.circulation.services.erasure import erase_borrower
from library.console import Command as BaseCommand
from library.console import Progress
from library.errors import LibraryError
from library.people.models import Borrower


class UnknownCardError(LibraryError):
    """No borrower has the card."""


class Command(BaseCommand):
    help = (
        "Delete a borrower and anonymise all loans, holds and fines, however recent; their counts are kept. "
        "Refused while the borrower has open loans or owes a fine. It cannot be undone. See "
        "library/people/PRIVACY.md."
    )
    example = "manage.py erase_borrower P1234"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("card", help="the card number")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        borrower = Borrower.objects.filter(card_number=options["card"]).first()
        if borrower is None:
            raise UnknownCardError(_("No borrower has the card number %s.") % options["card"])
        erasure = erase_borrower(borrower=borrower, now=timezone.now())
        truncate_write_ahead_log()
        return erasure.as_dict()

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"Borrower erased. Anonymised loans: {result['loans']}, holds: {result['holds']}.")
