"""What every command shares: one JSON result, progress on a terminal, and exit codes that mean something.

Exit codes: 0 done, 1 the work failed, 2 wrong usage. The result goes to standard output, everything
else to standard error, so that ``--json`` can be piped.
"""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from library.errors import LibraryError

Progress = Callable[[str, int, int], None]
"""``progress(phase, done, total)``: how far a phase is; ``done == total`` ends it."""


def no_progress(phase: str, done: int, total: int) -> None:
    """Show nothing: the default for services called by machines."""


class ProgressBars(AbstractContextManager["ProgressBars"]):
    """Draw one bar a phase on standard error, and nothing where that is no terminal.

    Examples
    --------
    >>> with ProgressBars() as progress:
    ...     progress("reading", 1, 2)
    """

    def __init__(self) -> None:
        # Imported here: drawing is not needed to show --help.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as RichProgress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "ProgressBars":
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bars.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[phase], completed=done, total=total)


class Command(BaseCommand):
    """Base of the project's commands: a subclass writes `work` and, for people, `show`."""

    #: A line that works as it stands, shown under ``--help``.
    example = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=f"Example: {self.example}", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON result on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with ProgressBars() as progress:
                result = self.work(progress=progress, **options)
        except LibraryError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": error.message, **error.extra}, ensure_ascii=False, default=str))
            raise CommandError(error.message, returncode=1) from error
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False, default=str))
        else:
            self.show(result)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        """Call one service and return its result as JSON-serialisable values."""
        raise NotImplementedError

    def show(self, result: dict[str, Any]) -> None:
        """Print the result for people."""
        for key, value in result.items():
            self.stdout.write(f"{key.replace('_', ' ')}: {value}")

    def warn(self, message: str) -> None:
        """Say something on standard error."""
        self.stderr.write(self.style.WARNING(message))
        sys.stderr.flush()
