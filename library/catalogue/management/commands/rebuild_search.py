"""``manage.py rebuild_search``."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Rebuild the search index of all books, while searches continue. Run it after loaddata or SQL has "
        "written books."
    )
    example = "manage.py rebuild_search"
    labels = {"books": "books indexed"}

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        # Imported here: services are not needed to show --help.
        from library.catalogue.services import rebuild_search

        return rebuild_search(progress=progress)
