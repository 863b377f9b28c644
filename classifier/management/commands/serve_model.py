"""``manage.py serve_model``: hold the model in memory for web processes."""

import argparse
import os
from typing import Any

from django.core.management.base import CommandParser

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Hold the model in memory and answer the web processes of this installation, which start it by "
        "themselves when they need it. It ends when nobody has asked for an hour."
    )
    example = "manage.py serve_model"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lock", type=int, help=argparse.SUPPRESS)
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        # Before numpy is loaded, which counts its threads then.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        from classifier.services.serving.server import serve

        serve(lock=options["lock"])
        return {}
