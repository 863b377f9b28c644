"""``manage.py new_borrower_key``: a key to put into BORROWER_KEYS."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.encryption.keys import new_key


class Command(BaseCommand):
    help = (
        "Print a new random key for borrowers' personal data. Put it first into BORROWER_KEYS, or as the "
        "first line into the file of BORROWER_KEYS_FILE, keep a copy in a safe place, and run "
        "rotate_borrower_keys. Nothing is stored."
    )
    example = "manage.py new_borrower_key"
    #: Where keys are missing, this is the way to get one.
    requires_system_checks = []

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return {"key": new_key()}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(result["key"])
