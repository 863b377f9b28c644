"""``manage.py draw_map``: update the collection map."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "draw_map"
    help = (
        "Update the collection map, in which books that the active version encodes similarly are close "
        "together. A large library is sampled."
    )
    example = "manage.py draw_map"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--seed", type=int, default=0, help="random seed of the sample and the layout (default: 0)"
        )

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"seed": options["seed"]}
