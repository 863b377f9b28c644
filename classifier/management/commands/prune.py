"""``manage.py prune``: delete the files of old versions."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Delete the files of old versions of the model, and what killed processes left lying about. Never "
        "those of the active version, of the one before it, or of a pinned one; figures stay."
    )
    example = "manage.py prune --keep 3"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep", type=int, help="how many of the others stay (default: the setting VERSIONS_KEPT, 5)"
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.pruning import prune

        return {"deleted": prune(now=timezone.now(), keep=options["keep"])}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"Deleted: {', '.join(result['deleted']) or 'nothing'}.")
