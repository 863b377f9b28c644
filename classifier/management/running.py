"""What the commands that do a run share."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from classifier.errors import SettingError
from library.console import Command as BaseCommand
from library.console import Progress


def add_settings(parser: CommandParser, *, words: str) -> None:
    """Add ``--set part.name=value``, as often as wanted, to ``options["settings_"]``."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings_", help=words
    )


class RunCommand(BaseCommand):
    """Base of a command that does a run in its own process: a subclass says which and with what."""

    #: One of `classifier.models.Run.Kind`.
    kind = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help="do it even if nothing has changed since the last time"
        )
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of the run."""
        raise NotImplementedError

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.jobs import run_here  # loads torch, which --help can do without

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
        """Print the result for people: of a run that had nothing to do, the last one's."""
        if skipped := result.pop("skipped", None):
            self.warn(f"{skipped} This is its result; --force does it again.")
        self.show_result(result)

    def show_result(self, result: dict[str, Any]) -> None:
        """Print what the service returned."""
        super().show(result)
