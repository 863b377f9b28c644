"""What an import did, and everything it found wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from library.errors import LibraryError


class BadCellError(LibraryError):
    """A cell holds nothing that its column can take; the message says what, for a `Problem`."""


class ImportRefusedError(LibraryError):
    """Nothing was kept of a file that was read; ``extra`` is the report."""


class ChangedMeanwhileError(LibraryError):
    """Someone else wrote what the file brings, or what stands in its way, after the import had looked."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that a person should look at."""

    file: str
    row: int  # the line of the file, counted from 1, on which the row begins
    column: str  # empty where it is about the row as a whole
    message: str


@dataclass
class ImportReport:
    """What an import did, or with `dry_run` would do."""

    file: str
    dry_run: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0  # rows of which nothing was kept
    made: dict[str, int] = field(default_factory=dict)  # what the rows brought with them, by kind
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # not held against the file, even if strict

    def problem(self, row: int, column: str, message: str) -> None:
        """Note a value that was left out of a row that was kept."""
        self.problems.append(Problem(self.file, row, column, message))

    def skip(self, row: int, column: str, message: str) -> None:
        """Note a row of which nothing is kept."""
        self.skipped += 1
        self.problem(row, column, f"{message} {_('The row is left out.')}")

    def add_made(self, kind: str, number: int) -> None:
        """Count things that the rows brought with them."""
        if number:
            self.made[kind] = self.made.get(kind, 0) + number

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return asdict(self) | {"problem_count": len(self.problems)}


@contextmanager
def kept_or_undone(report: ImportReport, *, strict: bool) -> Iterator[None]:
    """Write what a file brings in one transaction, and decide at its end whether that stays.

    Raises
    ------
    ImportRefusedError
        If there were problems and `strict`, or not a single good row.
    ChangedMeanwhileError
        If what is written meets something that was not there when the import looked.
    """
    with transaction.atomic():
        try:
            yield
        except IntegrityError as error:
            text = _(
                "Nothing was imported: while %s was read, someone else changed the same records. "
                "Import it again."
            )
            raise ChangedMeanwhileError(text % report.file, **report.as_dict()) from error
        report.problems.sort(key=lambda problem: problem.row)
        number = len(report.problems)
        problems = ngettext("%d problem", "%d problems", number) % number
        message = ""
        if strict and report.problems:
            message = _("Nothing was imported: %(file)s has %(problems)s. Mend them, or leave out --strict.")
        elif report.skipped and not (report.created or report.updated or report.unchanged):
            message = _("Nothing was imported: %(file)s has no row that can be kept (%(problems)s).")
        if message:
            values = {"file": report.file, "problems": problems}
            raise ImportRefusedError(message % values, **report.as_dict())
        if report.dry_run:
            transaction.set_rollback(True)
