"""Extract and replace single rows of a CSV text, by the line on which they begin."""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import islice


def rows_at(*, text: str, lines: Iterable[int]) -> dict[int, str]:
    """Return rows of a text, unparsed.

    Parameters
    ----------
    text
        With its header.
    lines
        First lines of the rows, counted from 1, as in `Problem`.

    Returns
    -------
    dict
        By line, the row without its line break; if its quotes are broken, its first line only.
    """
    text_lines = _lines(text)
    return {
        line: "".join(text_lines[line - 1 : line - 1 + _height(text_lines, line)]).rstrip("\r\n")
        for line in lines
        if 0 < line <= len(text_lines)
    }


def replace_rows(*, text: str, rows: Mapping[int, str]) -> str:
    """Return a text with the rows at these lines replaced; an empty row leaves a blank line."""
    text_lines = _lines(text)
    # From the bottom up, so that the rows above keep their line numbers.
    for line in sorted(rows, reverse=True):
        if 0 < line <= len(text_lines):
            end = line - 1 + _height(text_lines, line)
            text_lines[line - 1 : end] = [rows[line].rstrip("\r\n") + "\n"]
    return "".join(text_lines)


def _lines(text: str) -> list[str]:
    # Split as a file is: str.splitlines knows more line breaks.
    return list(io.StringIO(text, newline=""))


def _height(lines: list[str], line: int) -> int:
    width = len(next(csv.reader(lines), []))
    reader = csv.reader(islice(lines, line - 1, None), strict=True)
    try:
        cells = next(reader, [])
    except csv.Error:
        return 1
    return max(1, reader.line_num) if len(cells) == width else 1
