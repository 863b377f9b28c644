"""The cells of a book's row, one field at a time: a bad one costs its field, not the book."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from stdnum import isbn
from stdnum.exceptions import InvalidChecksum, ValidationError

from library.catalogue.models import Book, Category
from library.tabular import BadCellError, ImportReport, Row, clean_line, clean_text, longest, quoted

#: Publishers announce titles a year or two ahead; beyond this it is a slip of the keyboard.
YEARS_AHEAD = 5


def read_isbn(text: str) -> str:
    """Return an ISBN, given with 10 or 13 digits, as 13 digits.

    Raises
    ------
    BadCellError
    """
    try:
        return isbn.validate(text, convert=True)
    except InvalidChecksum as error:
        raise BadCellError(_("%s is no ISBN: its check digit is wrong; left out.") % quoted(text)) from error
    except ValidationError as error:
        raise BadCellError(_("%s is no ISBN; left out.") % quoted(text)) from error


def read_year(text: str, *, this_year: int) -> int:
    """Return a year of publication.

    Raises
    ------
    BadCellError
    """
    if text.isdecimal() and len(text) <= 4 and 0 < int(text) <= this_year + YEARS_AHEAD:
        return int(text)
    values = {"text": quoted(text), "latest": this_year + YEARS_AHEAD}
    raise BadCellError(_("%(text)s is no year up to %(latest)s; left out.") % values)


def read_language(text: str) -> str:
    """Return a language code in lower case.

    Raises
    ------
    BadCellError
    """
    if len(text) <= longest(Book, "language"):
        return text.lower()
    raise BadCellError(_("%s is no language code, such as en or zh-hans; left out.") % quoted(text))


def read_notation(text: str) -> str:
    """Return a category's notation.

    Raises
    ------
    BadCellError
    """
    if len(text) <= longest(Category, "notation"):
        return text
    values = {"text": quoted(text), "most": longest(Category, "notation")}
    raise BadCellError(_("%(text)s is longer than %(most)s characters; left out.") % values)


def read_values(row: Row, *, this_year: int, report: ImportReport) -> dict[str, Any]:
    """Return what a row says of its book, by column.

    A blank cell is a blank value: it clears what was there, but for `category`, which it leaves alone.
    A cell that cannot be used is reported and left out, a text that is too long is reported and cut.

    Parameters
    ----------
    row : Row
    this_year : int
    report : ImportReport

    Returns
    -------
    dict
        `title`, `subtitle`, `authors`, `publisher`, `language`, `isbn`, `description`, `category` (the
        notation), `cover` and `audio` (the names of files) as str, `year` as int or None.
    """
    readers: dict[str, Callable[[str], Any]] = {
        "isbn": read_isbn,
        "year": lambda text: read_year(text, this_year=this_year),
        "language": read_language,
        "category": read_notation,
    }
    values: dict[str, Any] = {}
    for column, cell in row.cells.items():
        if column == "id":
            continue
        if column in ("cover", "audio"):  # names a file, so it is taken as it is
            values[column] = cell.strip()
        elif column == "description":
            values[column] = clean_text(cell)
        elif column not in readers:
            values[column] = cut(clean_line(cell), Book, column, row=row, report=report)
        elif text := clean_line(cell):
            try:
                values[column] = readers[column](text)
            except BadCellError as error:
                report.problem(row.line, column, error.message)
        elif column != "category":
            values[column] = None if column == "year" else ""
    return values


def cut(text: str, model: type[Book] | type[Category], field: str, *, row: Row, report: ImportReport) -> str:
    """Return a text no longer than its field, and report one that was."""
    most = longest(model, field)
    if len(text) <= most:
        return text
    values = {"number": f"{len(text):,}", "most": f"{most:,}"}
    report.problem(row.line, field, _("%(number)s characters; cut to %(most)s.") % values)
    return text[:most].rstrip()
