"""``manage.py rotate_borrower_keys``: re-encrypt personal data with the newest key."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.services.key_rotation import rotate_keys


class Command(BaseCommand):
    help = (
        "Re-encrypt borrowers' personal data with the first of BORROWER_KEYS. The library can stay in use. "
        "An interrupted run continues when the command is run again. For how to replace a key step by step, "
        "see library/people/PRIVACY.md."
    )
    example = "manage.py rotate_borrower_keys"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return rotate_keys(progress=progress)

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"Borrowers re-encrypted with the first key: {result['reencrypted']} of {result['rows']}."
        )
        if result["keys"] > 1:
            self.stdout.write("The keys after it may now be removed from BORROWER_KEYS.")
