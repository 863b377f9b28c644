"""CSV that a spreadsheet can open: no cell of it is a formula."""

import csv
import re
from collections.abc import Iterable
from typing import IO

#: What makes a spreadsheet take a cell for a formula; the wide signs do in Chinese and Japanese ones.
_STARTS = "=+\\-@\t\r\n＝＋－＠"
_FORMULA = re.compile(f"'*[{_STARTS}]")
_MARKED = re.compile(f"'+[{_STARTS}]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def safe_cell(value: object) -> object:
    """Put an apostrophe before what a spreadsheet would run as a formula.

    The apostrophe is the spreadsheets' own sign for text. Numbers stay as they are, below zero too.

    Parameters
    ----------
    value : object
        What is no string is returned as it is.

    Returns
    -------
    object
        A cell from which `plain_cell` gives the value again.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def plain_cell(text: str) -> str:
    """Return the text of a cell without the apostrophe that `safe_cell` put before it."""
    return text[1:] if _MARKED.match(text) else text


class CsvWriter:
    """What all CSV files for people are written with: `csv.writer` with safe cells.

    Parameters
    ----------
    file : file object
        Opened with ``newline=""``.
    """

    def __init__(self, file: IO[str]) -> None:
        # Rows end in CR LF: with LF alone, Python 3.11 leaves a CR within a cell without quotes.
        self._writer = csv.writer(file, lineterminator="\r\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write one row."""
        self._writer.writerow([safe_cell(cell) for cell in cells])

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows as they come."""
        for row in rows:
            self.writerow(row)
