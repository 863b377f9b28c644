"""Reading CSV: every row that can be read is read, and every one that cannot is named.

A row that cannot be read costs that row and no other: after a broken quote, reading goes on with the
line after the one where the quote opens, so that it cannot swallow the rest of the file.
"""

import csv
import gzip
import io
import re
import zlib
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar, cast

from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.tabular.report import ImportReport
from library.tabular.text import clean_line, quoted
from library.tabular.writing import plain_cell

Item = TypeVar("Item")

#: Far beyond any row; what is longer is no CSV.
LONGEST_LINE = 1_000_000
#: Lines in one row, beyond which a quote is taken to be left open. It also bounds what is read again.
MOST_LINES_A_ROW = 1_000


class UnusableFileError(LibraryError):
    """Nothing can be taken from the file: it cannot be opened, decoded or told apart into columns."""

    def __init__(self, path: Path, message: str, *, row: int | None = None, column: str = "") -> None:
        place = path.name if row is None else _("%(file)s, line %(line)s") % {"file": path.name, "line": row}
        super().__init__(f"{place}: {message}", file=path.name, row=row, column=column)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file, and its cells by column name."""

    line: int
    cells: dict[str, str]


def read_rows(
    *,
    path: Path,
    required: Collection[str],
    optional: Collection[str],
    report: ImportReport,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[str], Iterator[Row]]:
    """Read a CSV file, plain or gzip, UTF-8 with or without a byte order mark, as a stream of rows.

    Parameters
    ----------
    path : Path
    required, optional : collection of str
        Column names; others are named in a warning of the report and left out.
    report : ImportReport
        Rows that cannot be read are noted here as they are met.
    progress : callable
        Called now and then with the KiB read and the KiB in all.

    Returns
    -------
    columns : list of str
        The columns that the file has, of those asked for.
    rows : iterator of Row
        Blank rows are left out, and so is the apostrophe that `CsvWriter` puts before what looks like a
        formula: a file that this program wrote is read as it was meant.

    Raises
    ------
    UnusableFileError
        At once or, where a later part of the file is at fault, while iterating.
    """
    records = _records(path, report, progress)
    line, header = next(records, (1, []))
    names = [clean_line(name).lower() for name in header]
    _check_header(path, line, names, required)
    known = [(index, name) for index, name in enumerate(names) if name in required or name in optional]
    if unknown := [name for name in names if name and name not in required and name not in optional]:
        text = _("%(file)s: unknown columns, left out: %(columns)s.")
        report.warnings.append(text % {"file": path.name, "columns": ", ".join(unknown)})
    rows = (Row(line, {name: plain_cell(cells[index]) for index, name in known}) for line, cells in records)
    return [name for _, name in known], rows


def _check_header(path: Path, line: int, names: list[str], required: Collection[str]) -> None:
    if not names:
        raise UnusableFileError(
            path, _("the file is empty; its first line has to name the columns."), row=line
        )
    if missing := [name for name in required if name not in names]:
        found = ", ".join(quoted(name) for name in names[:20])
        hint = ""
        if len(names) == 1 and re.search(r"[;\t|]", names[0]):
            hint = " " + _("Save the file with commas between the columns.")
        raise UnusableFileError(
            path,
            _("no column %(missing)s; the columns are %(found)s.")
            % {"missing": ", ".join(missing), "found": found}
            + hint,
            row=line,
            column=missing[0],
        )
    if twice := [name for index, name in enumerate(names) if name and name in names[:index]]:
        raise UnusableFileError(
            path, _("column %s is there more than once.") % quoted(twice[0]), row=line, column=twice[0]
        )


class _Lines:
    """The lines of a file for `csv.reader`; those of the row at hand are kept, to be read again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self.number = 1  # of the line where the row at hand begins

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.row) == MOST_LINES_A_ROW:
            raise csv.Error(f"more than {MOST_LINES_A_ROW:,} lines in one row")
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        return line

    def go_on_after(self, lines: int) -> None:
        """End the row at hand after so many of its lines."""
        self._again.extendleft(reversed(self.row[lines:]))
        self.number += lines
        self.row = []


def _records(
    path: Path, report: ImportReport, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the header, then every good row, each as the line where it begins and its cells."""
    header: list[str] = []
    with _opened(path) as (text, raw):
        size = path.stat().st_size // 1024
        lines = _Lines(_checked_lines(path, text))
        reader = csv.reader(lines, strict=True)
        for number in count():
            if number % 1000 == 0:
                progress(raw.tell() // 1024, size)
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if not header:
                    raise UnusableFileError(
                        path, _("cannot be read as CSV (%s).") % error, row=lines.number
                    ) from error
                _skip_broken_row(lines, header, error, report)
                continue
            taken = len(lines.row)
            if not any(cells):
                pass
            elif header and len(cells) != len(header):
                message = (
                    _("Too few fields: %(fields)s for %(columns)s columns.")
                    if len(cells) < len(header)
                    else _("Too many fields: %(fields)s for %(columns)s columns.")
                )
                report.skip(lines.number, "", message % {"fields": len(cells), "columns": len(header)})
                # A stray quote may have joined this line to good ones: look at those by themselves.
                taken = 1
            elif any("\0" in cell for cell in cells):
                if not header:
                    raise UnusableFileError(
                        path, _("NUL bytes: is it UTF-16? Save it as UTF-8."), row=lines.number
                    )
                report.skip(lines.number, "", _("It has a NUL byte, which text never has."))
            else:
                header = header or cells
                yield lines.number, cells
            lines.go_on_after(taken)
        progress(size, size)


def _skip_broken_row(lines: _Lines, header: list[str], error: csv.Error, report: ImportReport) -> None:
    """Report the place of a quote that is not closed as it should be, and go on after its line."""
    before, cells = _up_to_fault("".join(lines.row))
    offset = _line_breaks(before) - _line_breaks(cells[-1])
    column = clean_line(header[len(cells) - 1]).lower() if len(cells) <= len(header) else ""
    message = _(
        "The field that begins here has a quote that is never closed, or closed too early (%s); "
        'a quote within a quoted field is written twice, "".'
    )
    report.skip(lines.number + offset, column, message % error)
    lines.go_on_after(offset + 1)


def _up_to_fault(text: str) -> tuple[str, list[str]]:
    """Return the part of a broken row before the fault, and its cells: the last is the broken one."""

    def cells(end: int, *, strict: bool) -> list[str]:
        return next(csv.reader(io.StringIO(text[:end], newline=""), strict=strict), [""])

    def is_faulty(end: int) -> bool:
        try:
            cells(end, strict=True)
        except csv.Error as error:
            return "unexpected end" not in str(error)
        return False

    end = len(text)
    if is_faulty(end):
        # A fault is met at the character after a closing quote: leave both out.
        end = max(0, bisect_left(range(end), True, key=is_faulty) - 2)
    return text[:end], cells(end, strict=False)


def _line_breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, BinaryIO]]:
    """Open a file; yield its text, and the file as it lies on disk, to tell how far reading is."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            # surrogateescape lets a bad byte through as a lone surrogate, so that its line can be told.
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                yield text, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableFileError(path, _("a damaged gzip file (%s).") % error) from error
    except OSError as error:
        raise UnusableFileError(path, _("cannot be read: %s.") % (error.strerror or error)) from error


def _checked_lines(path: Path, text: TextIO) -> Iterator[str]:
    """Yield the lines, each with its line break as it stands in the file."""
    for number in count(1):
        line = text.readline(LONGEST_LINE + 1)
        if not line:
            return
        if len(line) > LONGEST_LINE:
            raise UnusableFileError(path, _("longer than %s characters.") % f"{LONGEST_LINE:,}", row=number)
        try:
            line.encode()
        except UnicodeEncodeError as error:
            byte = ord(line[error.start]) - 0xDC00
            message = _(
                "not UTF-8: byte 0x%(byte)02X at character %(place)d. "
                'Save the file as UTF-8; in a spreadsheet, as "CSV UTF-8".'
            )
            raise UnusableFileError(
                path, message % {"byte": byte, "place": error.start + 1}, row=number
            ) from error
        yield line
