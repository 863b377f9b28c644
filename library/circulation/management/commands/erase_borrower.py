"""``manage.py erase_borrower CARD``: nothing is left of who it was."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from library.circulation.services.anonymisation import empty_write_ahead_log
from library.circulation.services.erasure import erase_borrower
from library.console import Command as BaseCommand
from library.console import Progress
from library.errors import LibraryError
from library.people.models import Borrower


class UnknownCardError(LibraryError):
    """No borrower has the card."""


class Command(BaseCommand):
    help = (
        "Delete a borrower and cut all loans, holds and fines from the person, however old; their numbers "
        "stay. Refused while something is on loan or owed. It cannot be undone. See "
        "library/people/PRIVACY.md."
    )
    example = "manage.py erase_borrower P1234"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("card", help="the card number")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        borrower = Borrower.objects.filter(card_number=options["card"]).first()
        if borrower is None:
            raise UnknownCardError(_("No borrower has the card %s.") % options["card"])
        erasure = erase_borrower(borrower=borrower, now=timezone.now())
        empty_write_ahead_log()
        return erasure.as_dict()

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"Erased. {result['loans']} loans and {result['holds']} holds are now of nobody known."
        )
