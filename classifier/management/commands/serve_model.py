"""``manage.py serve_model``: run the model server."""

import os
from typing import Any

from django.core.management.base import CommandParser

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Hold the active model version in memory and classify books for the web processes of this "
        "installation. Runs until terminated, and loads another version after a promotion. In development "
        "the web server starts it when needed."
    )
    example = "manage.py serve_model"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--idle",
            type=float,
            metavar="SECONDS",
            help="stop after this time without a request (default: never)",
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        # Before numpy is imported, which counts its threads then.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        from classifier.services.serving.server import serve

        serve(idle=options["idle"])
        return {}
