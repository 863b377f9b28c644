"""The common frame of imports: one file, one report, one transaction."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.utils.translation import gettext as _

from library.tabular.reading import Row, read_rows
from library.tabular.report import ImportReport, import_transaction


@dataclass(frozen=True, slots=True)
class FileImport:
    """An open file whose rows are being imported; `columns` are the requested ones that it has."""

    report: ImportReport
    columns: list[str]
    rows: Iterator[Row]


@contextmanager
def import_file(
    *,
    path: Path,
    required: Collection[str],
    optional: Collection[str],
    dry_run: bool,
    strict: bool,
    progress: Callable[[str, int, int], None],
) -> Iterator[FileImport]:
    """Open a CSV file for import: everything in the block is one transaction, kept or rolled back at its end.

    Parameters
    ----------
    required, optional
        Column names, see `read_rows`.
    dry_run
        Roll back at the end.
    strict
        Refuse the file if it has any problem.

    Raises
    ------
    UnusableFileError
        If the file cannot be read.
    ImportRefusedError, ConcurrentChangeError
        If nothing is imported.
    """
    report = ImportReport(file=path.name, dry_run=dry_run)
    with import_transaction(report, strict=strict):
        columns, rows = read_rows(
            path=path,
            required=required,
            optional=optional,
            report=report,
            progress=partial(progress, f"reading {path.name} (KiB)"),
        )
        yield FileImport(report, columns, _warn_if_empty(rows, report))


def _warn_if_empty(rows: Iterator[Row], report: ImportReport) -> Iterator[Row]:
    is_empty = True
    for row in rows:
        is_empty = False
        yield row
    if is_empty and not report.skipped:
        report.warnings.append(_("%s has no data rows.") % report.file)
