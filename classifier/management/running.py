"""Base of the commands that execute a run."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from classifier.errors import SettingError
from classifier.presentation.tables import NAMES
from library.console import Command as BaseCommand
from library.console import Progress


def add_settings(parser: CommandParser, *, help_text: str) -> None:
    """Add the repeatable option ``--set part.name=value``, read from ``options["settings_"]``."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings_", help=help_text
    )


class RunCommand(BaseCommand):
    """Command that executes a run in its own process; a subclass sets its kind and parameters."""

    #: One of `classifier.models.Run.Kind`.
    kind = ""
    labels = NAMES

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help="run even if nothing has changed since the last time"
        )
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of the run."""
        raise NotImplementedError

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.jobs import run_here  # imports torch, which --help does not need

        try:
            return run_here(
                kind=self.kind,
                now=timezone.now(),
                parameters=self.parameters(options),
                force=options["force"],
                output=options.get("output"),
                progress=progress,
            )
        except SettingError as error:
            raise CommandError(error.message, returncode=2) from error

    def show(self, result: dict[str, Any]) -> None:
        """Print the result for people; if the run was skipped, that of the previous one."""
        if skipped := result.pop("skipped", None):
            self.warn(f"{skipped} This is its result; use --force to run it again.")
        self.show_result(result)

    def show_result(self, result: dict[str, Any]) -> None:
        """Print the result of the service."""
        super().show(result)
