"""``manage.py undo``: take a reclassification back."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "undo"
    help = (
        "Take a reclassification back as a whole: suggestions, and categories it set, are what they were "
        "before. What a person has decided since, and what was classified again since, stays."
    )
    example = "manage.py undo 12"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int, help="number of the reclassification, as classify prints it")
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"batch": options["batch"]}
