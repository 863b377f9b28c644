"""Parse the cells of a book row. An invalid cell skips its field, not the book."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from stdnum import isbn
from stdnum.exceptions import InvalidChecksum, ValidationError

from library.catalogue.models import Book, Category
from library.tabular import BadCellError, ImportReport, Row, clean_line, clean_text, max_length, quoted

#: Publishers announce titles a year or two ahead; a later year is a typing error.
MAX_YEARS_AHEAD = 5
#: Characters. No description is longer; a longer cell is a whole text or a mistake.
MAX_DESCRIPTION_LENGTH = 100_000


def parse_isbn(text: str) -> str:
    """Return an ISBN of 10 or 13 digits as 13 digits. Raises `BadCellError`."""
    try:
        return isbn.validate(text, convert=True)
    except InvalidChecksum as error:
        raise BadCellError(
            _("%s is not a valid ISBN (wrong check digit). The value is skipped.") % quoted(text)
        ) from error
    except ValidationError as error:
        raise BadCellError(_("%s is not a valid ISBN. The value is skipped.") % quoted(text)) from error


def parse_year(text: str, *, this_year: int) -> int:
    """Return a year of publication. Raises `BadCellError`."""
    if text.isdecimal() and len(text) <= 4 and 0 < int(text) <= this_year + MAX_YEARS_AHEAD:
        return int(text)
    values = {"text": quoted(text), "latest": this_year + MAX_YEARS_AHEAD}
    raise BadCellError(_("%(text)s is not a year from 1 to %(latest)s. The value is skipped.") % values)


def parse_language(text: str) -> str:
    """Return a language code in lower case. Raises `BadCellError`."""
    if len(text) <= max_length(Book, "language"):
        return text.lower()
    raise BadCellError(
        _("%s is not a language code such as en or zh-hans. The value is skipped.") % quoted(text)
    )


def parse_notation(text: str) -> str:
    """Return a category's notation. Raises `BadCellError`."""
    if len(text) <= max_length(Category, "notation"):
        return text
    values = {"text": quoted(text), "most": max_length(Category, "notation")}
    raise BadCellError(_("%(text)s is longer than %(most)s characters. The value is skipped.") % values)


def parse_row(row: Row, *, this_year: int, report: ImportReport) -> dict[str, Any]:
    """Return the values of a book row by column.

    A blank cell clears its field, except `category`, which stays unchanged. An invalid cell is reported and
    skipped. Text that is too long is reported and truncated.

    Returns
    -------
    dict
        `title`, `subtitle`, `authors`, `publisher`, `language`, `isbn`, `description`, `category` (the
        notation), `cover` and `audio` (file names) as str, `year` as int or None.
    """
    parsers: dict[str, Callable[[str], Any]] = {
        "isbn": parse_isbn,
        "year": lambda text: parse_year(text, this_year=this_year),
        "language": parse_language,
        "category": parse_notation,
    }
    values: dict[str, Any] = {}
    for column, cell in row.cells.items():
        if column == "id":
            continue
        if column in ("cover", "audio"):  # a file name, kept unchanged
            values[column] = cell.strip()
        elif column == "description":
            text = clean_text(cell)
            values[column] = truncate(text, column, MAX_DESCRIPTION_LENGTH, row=row, report=report)
        elif column not in parsers:
            values[column] = truncate(
                clean_line(cell), column, max_length(Book, column), row=row, report=report
            )
        elif text := clean_line(cell):
            try:
                values[column] = parsers[column](text)
            except BadCellError as error:
                report.problem(row.line, column, error.message)
        elif column != "category":
            values[column] = None if column == "year" else ""
    return values


def truncate(text: str, field: str, limit: int, *, row: Row, report: ImportReport) -> str:
    """Return a text truncated to the limit of its field, and report one that was longer."""
    if len(text) <= limit:
        return text
    values = {"number": f"{len(text):,}", "most": f"{limit:,}"}
    report.problem(
        row.line, field, _("The text has %(number)s characters. It is truncated to %(most)s.") % values
    )
    return text[:limit].rstrip()
