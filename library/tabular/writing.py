"""Write CSV files without formulas, which spreadsheets would run."""

import csv
import re
from collections.abc import Iterable
from typing import IO

#: Characters that start a formula; the full-width ones do so in Chinese and Japanese spreadsheets.
_FORMULA_STARTS = "=+\\-@\t\r\n＝＋－＠"
_FORMULA = re.compile(f"'*[{_FORMULA_STARTS}]")
_MARKED = re.compile(f"'+[{_FORMULA_STARTS}]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def safe_cell(value: object) -> object:
    """Put an apostrophe, which marks text in spreadsheets, before a string that would run as a formula.

    Numbers, also negative ones, and values that are not strings are returned unchanged. `plain_cell` is the
    inverse.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def plain_cell(text: str) -> str:
    """Return the text of a cell without the apostrophe that `safe_cell` adds."""
    return text[1:] if _MARKED.match(text) else text


class CsvWriter:
    """A `csv.writer` with safe cells; every CSV file for people is written with it.

    Parameters
    ----------
    file
        Opened with ``newline=""``.
    """

    def __init__(self, file: IO[str]) -> None:
        # Rows end in CR LF: with LF alone, Python 3.11 does not quote a cell that contains a CR.
        self._writer = csv.writer(file, lineterminator="\r\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write one row."""
        self._writer.writerow([safe_cell(cell) for cell in cells])

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows one by one."""
        for row in rows:
            self.writerow(row)
