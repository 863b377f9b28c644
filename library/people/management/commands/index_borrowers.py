"""``manage.py index_borrowers``: rebuild the search index of borrowers."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.services.key_check import rebuild_index


class Command(BaseCommand):
    help = (
        "Rebuild the search terms of all borrowers, after BORROWER_INDEX_KEY was lost or replaced, or after "
        "borrowers were written to the database directly."
    )
    example = "manage.py index_borrowers"
    labels = {"borrowers": "borrowers indexed"}
    #: The check would refuse a new index key, which this command is there to accept.
    requires_system_checks = []

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return rebuild_index(progress=progress)
