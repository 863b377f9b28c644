"""``manage.py new_borrower_key``: print a new key for BORROWER_KEYS."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.encryption.keys import new_key


class Command(BaseCommand):
    help = (
        "Print a new random key for borrowers' personal data. Put it first in BORROWER_KEYS, or in the first "
        "line of the file named by BORROWER_KEYS_FILE, keep a copy in a safe place, and run "
        "rotate_borrower_keys. The command stores nothing."
    )
    example = "manage.py new_borrower_key"
    #: The check would refuse missing keys, which this command is there to create.
    requires_system_checks = []

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return {"key": new_key()}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(result["key"])
