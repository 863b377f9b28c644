"""``manage.py index_borrowers``: what borrowers are found by, made anew."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.services.key_check import rebuild_index


class Command(BaseCommand):
    help = (
        "Make the search terms of all borrowers anew: after BORROWER_INDEX_KEY was lost or replaced, or rows "
        "were written past the library."
    )
    example = "manage.py index_borrowers"
    #: The check says that the index key is another one, which is what this mends.
    requires_system_checks = []

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return rebuild_index(progress=progress)
