"""Reports of imports, and the transaction around an import."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from library.errors import LibraryError


class BadCellError(LibraryError):
    """The value of a cell is invalid for its column; a `Problem` shows the message."""


class ImportRefusedError(LibraryError):
    """Nothing was imported from a file that was read; ``extra`` is the report."""


class ConcurrentChangeError(LibraryError):
    """Another user wrote conflicting rows while the import was running."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in a file that a person should look at."""

    file: str
    row: int  # first line of the row, counted from 1
    column: str  # empty if the problem concerns the whole row
    message: str


@dataclass
class ImportReport:
    """The effects of an import, or with `dry_run` the effects it would have."""

    file: str
    dry_run: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0  # rows that were skipped whole
    also_created: dict[str, int] = field(default_factory=dict)  # related records, by kind
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # never a reason to refuse the file, even if strict

    def problem(self, row: int, column: str, message: str) -> None:
        """Report a skipped value of a row that is imported."""
        self.problems.append(Problem(self.file, row, column, message))

    def skip(self, row: int, column: str, message: str) -> None:
        """Report a row that is skipped whole."""
        self.skipped += 1
        self.problem(row, column, f"{message} {_('Row skipped.')}")

    def add_created(self, kind: str, number: int) -> None:
        """Count related records that the import created."""
        if number:
            self.also_created[kind] = self.also_created.get(kind, 0) + number

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return asdict(self) | {"problem_count": len(self.problems)}


@contextmanager
def import_transaction(report: ImportReport, *, strict: bool) -> Iterator[None]:
    """Run an import in one transaction, which is rolled back at the end if the file is refused.

    Raises
    ------
    ImportRefusedError
        If there is no good row or, with `strict`, if there is any problem.
    ConcurrentChangeError
        If a row conflicts with one that another user wrote during the import.
    """
    with transaction.atomic():
        try:
            yield
        except IntegrityError as error:
            text = _(
                "Nothing was imported: the same records were changed while %s was being read. Import "
                "the file again."
            )
            raise ConcurrentChangeError(text % report.file, **report.as_dict()) from error
        report.problems.sort(key=lambda problem: problem.row)
        number = len(report.problems)
        problems = ngettext("%d problem", "%d problems", number) % number
        message = ""
        if strict and report.problems:
            message = _("Nothing was imported: %(file)s has %(problems)s. Fix them, or run without --strict.")
        elif report.skipped and not (report.created or report.updated or report.unchanged):
            message = _("Nothing was imported: %(file)s has no usable rows (%(problems)s).")
        if message:
            values = {"file": report.file, "problems": problems}
            raise ImportRefusedError(message % values, **report.as_dict())
        if report.dry_run:
            transaction.set_rollback(True)
