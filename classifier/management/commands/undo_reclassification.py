"""``manage.py undo_reclassification``: undo a batch."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import RunCommand
from classifier.presentation.tables import NAMES


class Command(RunCommand):
    kind = "undo"
    help = (
        "Undo a batch: restore the suggestions and the categories from before it. Decisions that people have "
        "taken since, and books that have been classified again since, stay."
    )
    example = "manage.py undo_reclassification 12"
    labels = NAMES | {
        "books": "books restored",
        "decided": "not restored, manually filed later",
        "classified_again": "not restored, reclassified later",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int, help="number of the batch, which classify prints")
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"batch": options["batch"]}
