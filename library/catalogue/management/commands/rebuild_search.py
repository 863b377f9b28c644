"""``manage.py rebuild_search``: what books are found by, made anew."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Make the search index of all books anew, while searching goes on: after rows were written past the "
        "library, by loaddata or SQL."
    )
    example = "manage.py rebuild_search"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        # Imported here: services are not needed to show --help.
        from library.catalogue.services import rebuild_search

        return rebuild_search(progress=progress)
