"""Rows of a CSV text by the line on which they begin: those at fault are shown, and mended ones put there."""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import islice


def rows_at(*, text: str, lines: Iterable[int]) -> dict[int, str]:
    """Return rows as they stand in a text.

    Parameters
    ----------
    text : str
        With its heading.
    lines : iterable of int
        On which the rows begin, counted from 1, as a `Problem` names them.

    Returns
    -------
    dict
        By line, the row without its line break. Of one that cannot be told from those after it, as its
        quotes are wrong, its first line.
    """
    of_text = _lines(text)
    return {
        line: "".join(of_text[line - 1 : line - 1 + _height(of_text, line)]).rstrip("\r\n")
        for line in lines
        if 0 < line <= len(of_text)
    }


def with_rows(*, text: str, rows: Mapping[int, str]) -> str:
    """Return a text with other rows in the places that `rows_at` tells of; an empty one leaves a blank."""
    of_text = _lines(text)
    # From below: what stands above keeps its line.
    for line in sorted(rows, reverse=True):
        if 0 < line <= len(of_text):
            end = line - 1 + _height(of_text, line)
            of_text[line - 1 : end] = [rows[line].rstrip("\r\n") + "\n"]
    return "".join(of_text)


def _lines(text: str) -> list[str]:
    # Broken where a file is, and nowhere else: str.splitlines knows more line breaks.
    return list(io.StringIO(text, newline=""))


def _height(lines: list[str], line: int) -> int:
    """Return how many lines the row takes that begins on a line."""
    width = len(next(csv.reader(lines), []))
    reader = csv.reader(islice(lines, line - 1, None), strict=True)
    try:
        cells = next(reader, [])
    except csv.Error:
        return 1
    return max(1, reader.line_num) if len(cells) == width else 1
