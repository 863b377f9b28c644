"""Base classes of the commands: a JSON result, progress bars and exit codes.

Exit codes: 0 success, 1 failure, 2 wrong usage. The result goes to standard output and everything else to
standard error, so that the output of ``--json`` can be piped.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from library.errors import LibraryError

Progress = Callable[[str, int, int], None]
"""``progress(phase, done, total)`` reports the progress of a phase; ``done == total`` ends it.

Text after a colon may change within a phase: "searching: best 0.61".
"""


def no_progress(phase: str, done: int, total: int) -> None:
    """Show nothing."""


class ProgressBars(AbstractContextManager["ProgressBars"]):
    """Draw a progress bar for each phase on standard error, if that is a terminal.

    Examples
    --------
    >>> with ProgressBars() as progress:
    ...     progress("reading", 1, 2)
    """

    def __init__(self) -> None:
        # Imported here: --help does not need it.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import (
            Progress as RichProgress,
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
        name = phase.partition(":")[0]
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[name], description=phase, completed=done, total=total)


def format_table(*, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, with the first column left-aligned and the others right-aligned."""
    # Imported here: --help does not need it.
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position else "left")
    for row in rows:
        table.add_row(*row)
    console = Console(width=110, markup=False, emoji=False)  # titles are not markup
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_value_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Command(BaseCommand):
    """Base of the project's commands. Subclasses implement `work` and, for people, `show`."""

    #: A complete command line, shown by ``--help``.
    example = ""
    #: Words for the keys of the result; other keys are printed as they are.
    labels: Mapping[str, object] = {}

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
                self._print_json({"error": error.message, **error.extra})
            else:
                self.show_failure(error)
            raise CommandError(error.message, returncode=1) from error
        except OperationalError as error:
            message = (
                f"The database is unavailable ({error}). If it is new, run manage.py migrate; otherwise try "
                "again."
            )
            if options["json"]:
                self._print_json({"error": message})
            raise CommandError(message, returncode=1) from error
        if options["json"]:
            self._print_json(result)
        else:
            self.show(result)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        """Call one service and return its result as JSON-serialisable values."""
        raise NotImplementedError

    def show(self, result: dict[str, Any]) -> None:
        """Print the result for people, one value per line, without empty ones."""
        for key, value in result.items():
            if value is not None and value not in ("", [], {}):
                label = str(self.labels.get(key, key.replace("_", " ")))
                self.stdout.write(f"{label[:1].upper()}{label[1:]}: {_value_text(value)}")

    def show_failure(self, error: LibraryError) -> None:
        """Print details of an error for people, in addition to its message."""

    def warn(self, message: str) -> None:
        """Print a warning on standard error."""
        self.stderr.write(self.style.WARNING(message))
        sys.stderr.flush()

    def _print_json(self, result: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(result, ensure_ascii=False, default=str))


class ImportCommand(Command):
    """Base of the import commands; their result is an `ImportReport` as a dict."""

    #: The treatment of good and bad rows, for the `help` of each command.
    rules = (
        "Good rows are imported and bad ones are reported with line and column: an invalid value is skipped, "
        "or the whole row if it cannot be used. With --strict nothing is imported if there is any problem. "
        "The import is one transaction; exit code 1 means that nothing was imported."
    )
    #: More would push the first ones off the screen; --json prints all.
    max_problems_shown = 20

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV in UTF-8, plain or gzip")
        parser.add_argument("--strict", action="store_true", help="import nothing if there is any problem")
        parser.add_argument("--dry-run", action="store_true", help="report the result without importing")
        super().add_arguments(parser)

    def show(self, result: dict[str, Any]) -> None:
        self._show_problems(result)
        also_created = [f"{kind} created: {number}" for kind, number in result["also_created"].items()]
        counts = [f"{key}: {result[key]}" for key in ("created", "updated", "unchanged", "skipped")]
        outcome = "dry run, nothing imported: " if result["dry_run"] else ""
        self.stdout.write(f"{result['file']}: {outcome}{', '.join(counts + also_created)}.")

    def show_failure(self, error: LibraryError) -> None:
        self._show_problems(error.extra)

    def _show_problems(self, report: dict[str, Any]) -> None:
        for warning in report.get("warnings", []):
            self.warn(warning)
        problems = report.get("problems", [])
        for problem in problems[: self.max_problems_shown]:
            location = f"{problem['file']}, line {problem['row']}"
            if problem["column"]:
                location += f", column {problem['column']}"
            self.warn(f"{location}: {problem['message']}")
        if len(problems) > self.max_problems_shown:
            self.warn(
                f"More problems: {len(problems) - self.max_problems_shown}. Use --json to list them all."
            )
