"""Read CSV files into rows and a report of faults, and write CSV files that are safe in spreadsheets.

This package depends on no model of the library.
"""

from library.tabular.editing import replace_rows, rows_at
from library.tabular.importing import FileImport, import_file
from library.tabular.reading import Row, UnusableFileError, read_rows
from library.tabular.report import (
    BadCellError,
    ConcurrentChangeError,
    ImportRefusedError,
    ImportReport,
    Problem,
)
from library.tabular.text import clean_line, clean_text, max_length, quoted
from library.tabular.writing import CsvWriter

__all__ = [
    "BadCellError",
    "ConcurrentChangeError",
    "CsvWriter",
    "FileImport",
    "ImportRefusedError",
    "ImportReport",
    "Problem",
    "Row",
    "UnusableFileError",
    "clean_line",
    "clean_text",
    "import_file",
    "max_length",
    "quoted",
    "read_rows",
    "replace_rows",
    "rows_at",
]
