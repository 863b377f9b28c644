"""``manage.py draw_map``: the map of the collection."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "draw_map"
    help = (
        "Draw the map of the collection anew: books that the active version sees as alike lie near each "
        "other. Of a large library a sample is drawn."
    )
    example = "manage.py draw_map"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--seed", type=int, default=0, help="of the sample and of the plane (default: 0)")

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"seed": options["seed"]}
