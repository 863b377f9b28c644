"""Read CSV files row by row and report the rows that cannot be read.

A row that is too long or has a wrong number of fields is skipped and reported. A broken quote makes the whole
file unusable: it may have swallowed any number of rows, so nothing after it can be trusted.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.tabular.report import ImportReport
from library.tabular.text import clean_line, quoted
from library.tabular.writing import plain_cell

#: Characters. Longer rows are skipped, so that memory is bounded.
MAX_ROW_LENGTH = 1_000_000
# Of the process: `csv` has no limit per reader. `_RowLines` bounds each row, so no field reaches it.
csv.field_size_limit(max(csv.field_size_limit(), 3 * MAX_ROW_LENGTH))
#: A well-formed field, with the comma after it.
_FIELD = re.compile(r'(?:"(?:[^"]|"")*+"|[^",][^,]*|),')
#: Characters between those that separate fields and rows.
_CONTENT = re.compile(r'[^",\r\n]+')


class UnusableFileError(LibraryError):
    """The file cannot be opened, decoded or split into columns and rows."""

    def __init__(self, path: Path, message: str, *, row: int | None = None, column: str = "") -> None:
        place = path.name if row is None else _("%(file)s, line %(line)s") % {"file": path.name, "line": row}
        super().__init__(f"{place}: {message}", file=path.name, row=row, column=column)


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its first line in the file, and its cells by column name."""

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
    """Stream the rows of a CSV file, plain or gzip, in UTF-8 with or without a byte order mark.

    Parameters
    ----------
    required, optional
        Column names. Other columns are ignored, with a warning in the report.
    report
        Receives the rows that cannot be read, as they are met.
    progress
        Called now and then with the KiB read and the total KiB.

    Returns
    -------
    list of str
        The requested columns that the file has.
    iterator of Row
        The rows, without blank ones and without the apostrophe that `CsvWriter` puts before text that looks
        like a formula.

    Raises
    ------
    UnusableFileError
        At once, or while iterating if a later part of the file is faulty.
    """
    records = _records(path, report, progress)
    line, header = next(records, (1, []))
    names = [clean_line(name).lower() for name in header]
    _check_header(path, line, names, required)
    used = [(index, name) for index, name in enumerate(names) if name in required or name in optional]
    if unknown := [name for name in names if name and name not in required and name not in optional]:
        text = _("%(file)s: skipped unknown columns: %(columns)s.")
        report.warnings.append(text % {"file": path.name, "columns": ", ".join(unknown)})
    rows = (Row(line, {name: plain_cell(cells[index]) for index, name in used}) for line, cells in records)
    return [name for _, name in used], rows


def _check_header(path: Path, line: int, names: list[str], required: Collection[str]) -> None:
    if not names:
        raise UnusableFileError(
            path, _("the file is empty; the first line must contain the column names."), row=line
        )
    if missing := [name for name in required if name not in names]:
        columns = ", ".join(quoted(name) for name in names[:20])
        hint = ""
        if len(names) == 1 and re.search(r"[;\t|]", names[0]):
            hint = " " + _("Save the file as comma-separated values.")
        raise UnusableFileError(
            path,
            _("required columns are missing: %(missing)s; columns found: %(found)s.")
            % {"missing": ", ".join(missing), "found": columns}
            + hint,
            row=line,
            column=missing[0],
        )
    if repeated := [name for index, name in enumerate(names) if name and name in names[:index]]:
        raise UnusableFileError(
            path, _("column %s appears more than once.") % quoted(repeated[0]), row=line, column=repeated[0]
        )


def _records(
    path: Path, report: ImportReport, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the header, then every good row, each with the line on which it begins."""
    header: list[str] = []
    with _opened(path) as (text, raw):
        size = path.stat().st_size // 1024
        row = _RowLines(path, text)
        reader = csv.reader(row, strict=True)
        for number in count():
            if number % 1000 == 0:
                progress(raw.tell() // 1024, size)
            row.clear()
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                raise _broken_quote(path, "".join(row.lines), line, header, str(error)) from error
            except _EndlessRowError as error:
                raise _endless_row(path, "".join(row.lines), line, header) from error
            if not any(cells):
                continue
            if header and len(cells) != len(header):
                _report_field_count(path, line, row.lines, cells, header, report)
            elif fault := _fault(row, cells, is_header=not header):
                if not header:
                    raise UnusableFileError(path, fault, row=line)
                report.skip(line, "", fault)
            else:
                header = header or cells
                yield line, cells
        progress(size, size)


class _EndlessRowError(Exception):
    """A row that is too long even without the content of its fields."""


class _RowLines:
    """The lines of a file, and those of the current row.

    Attributes
    ----------
    lines
        Of the current row, to locate a broken quote.
    is_too_long
        The fields of the row have lost content: it is shortened to one character between separators, which
        leaves the number of fields and the end of the row as they are.
    """

    def __init__(self, path: Path, text: TextIO) -> None:
        self._path = path
        self._text = text
        self._number = 0  # of the last line
        self._length = 0  # of the row
        self.clear()

    def clear(self) -> None:
        """Begin a new row."""
        self.lines: list[str] = []
        self.is_too_long = False
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._number += 1
        pieces: list[str] = []
        place = 0  # characters of the line before the piece
        while piece := self._text.readline(MAX_ROW_LENGTH):
            self._check(piece, place)
            place += len(piece)
            if self._length + len(piece) > MAX_ROW_LENGTH:
                self.is_too_long = True
                piece = _CONTENT.sub("x", piece)
            self._length += len(piece)
            pieces.append(piece)
            if self._length > 2 * MAX_ROW_LENGTH:
                self.lines.append("".join(pieces))
                raise _EndlessRowError
            if piece[-1] in "\r\n":
                break
        if not pieces:
            raise StopIteration
        self.lines.append("".join(pieces))
        return self.lines[-1]

    def _check(self, piece: str, place: int) -> None:
        try:
            piece.encode()
        except UnicodeEncodeError as error:
            byte = ord(piece[error.start]) - 0xDC00
            message = _(
                "invalid UTF-8: byte 0x%(byte)02X at character %(place)d. Save the file as UTF-8 (in "
                "a spreadsheet, choose “CSV UTF-8”)."
            )
            raise UnusableFileError(
                self._path, message % {"byte": byte, "place": place + error.start + 1}, row=self._number
            ) from error


def _fault(row: _RowLines, cells: list[str], *, is_header: bool) -> str:
    """Return why a row with the right number of fields cannot be used; empty if it can."""
    if row.is_too_long:
        return _("The row is longer than %s characters.") % f"{MAX_ROW_LENGTH:,}"
    if not any("\0" in cell for cell in cells):
        return ""
    if is_header:
        return _("the file contains NUL bytes and may be UTF-16. Save it as UTF-8.")
    return _("The row contains a NUL byte.")


def _report_field_count(
    path: Path, line: int, row_lines: list[str], cells: list[str], header: list[str], report: ImportReport
) -> None:
    """Skip a row with a wrong number of fields; refuse the file if the row spans lines."""
    message = (
        _("Too few fields: %(fields)s for %(columns)s columns.")
        if len(cells) < len(header)
        else _("Too many fields: %(fields)s for %(columns)s columns.")
    ) % {"fields": len(cells), "columns": len(header)}
    if len(row_lines) > 1:
        # A stray quote may have swallowed good rows, which must not be lost with this one.
        hint = _("The row extends to line %s. Nothing was imported: check the quotes.")
        raise UnusableFileError(path, f"{message} {hint % (line + len(row_lines) - 1)}", row=line)
    report.skip(line, "", message)


def _broken_quote(path: Path, text: str, line: int, header: list[str], reason: str) -> UnusableFileError:
    """Return the error for a row that `csv` refuses, with the line and column of the faulty field."""
    line, column = _faulty_field(text, line, header)
    message = _(
        "The quote that opens in column %(column)s is never closed, or is closed too early (%(reason)s). "
        'Nothing was imported. Write a quote within a quoted field twice: "".'
    )
    values = {"column": column, "reason": reason}
    return UnusableFileError(path, message % values, row=line, column=column)


def _endless_row(path: Path, text: str, line: int, header: list[str]) -> UnusableFileError:
    line, column = _faulty_field(text, line, header)
    message = _(
        "The row is far longer than %(most)s characters, or a quote that opens in column %(column)s is never "
        "closed. Nothing was imported. Shorten the row, or close the quote."
    )
    values = {"column": column, "most": f"{MAX_ROW_LENGTH:,}"}
    return UnusableFileError(path, message % values, row=line, column=column)


def _faulty_field(text: str, line: int, header: list[str]) -> tuple[int, str]:
    """Return the line and the column of the first field of a row that is not well-formed."""
    start = number = 0
    while field := _FIELD.match(text, start):
        start, number = field.end(), number + 1
    column = clean_line(header[number]).lower() if number < len(header) else str(number + 1)
    before = text[:start]
    return line + before.count("\n") + before.count("\r") - before.count("\r\n"), column


@contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, BinaryIO]]:
    """Open a file; yield its text, and the file on disk, whose position shows the progress."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            # surrogateescape turns a bad byte into a lone surrogate, so that its line can be reported.
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                yield text, raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableFileError(path, _("the gzip file is damaged (%s).") % error) from error
    except OSError as error:
        raise UnusableFileError(path, _("cannot be read: %s.") % (error.strerror or error)) from error
