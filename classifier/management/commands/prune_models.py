"""``manage.py prune_models``: delete the files of old versions."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Delete the files of old model versions, and leftovers of killed processes. The active version, the "
        "one it replaced and pinned ones are kept; metrics stay."
    )
    example = "manage.py prune_models --keep 3"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep",
            type=int,
            help="number of other versions to keep (default: the setting MODEL_VERSIONS_TO_KEEP, 5)",
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.pruning import prune

        return {"deleted": prune(now=timezone.now(), keep=options["keep"])}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"Deleted: {', '.join(result['deleted']) or 'nothing'}.")
