"""``manage.py evaluate``: evaluate a stored version again."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.report import report
from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = "Evaluate a stored version again on the books that were held out from its training."
    example = "manage.py evaluate --version 20260131-120000-ab12"

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django has a --version of its own.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--version", default=None, help="name of the version (default: the active one)")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.promotion import active_version
        from classifier.services.registry.versions import version_by_name
        from classifier.services.training.training import (
            evaluate,  # imports torch, which --help does not need
        )

        name = options["version"]
        return evaluate(version=version_by_name(name) if name else active_version())

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(report(result["metrics"]))
        self.stdout.write(f"Version {result['version']} ({'active' if result['active'] else 'not active'}).")
