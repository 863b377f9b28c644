"""CSV in, rows and a report of every fault out; rows in, safe CSV out. It knows no books and no loans."""

from library.tabular.mending import rows_at, with_rows
from library.tabular.reading import Row, UnusableFileError, read_rows
from library.tabular.report import (
    BadCellError,
    ChangedMeanwhileError,
    ImportRefusedError,
    ImportReport,
    Problem,
    kept_or_undone,
)
from library.tabular.text import clean_line, clean_text, longest, quoted
from library.tabular.writing import CsvWriter

__all__ = [
    "BadCellError",
    "ChangedMeanwhileError",
    "CsvWriter",
    "ImportRefusedError",
    "ImportReport",
    "Problem",
    "Row",
    "UnusableFileError",
    "clean_line",
    "clean_text",
    "kept_or_undone",
    "longest",
    "quoted",
    "read_rows",
    "rows_at",
    "with_rows",
]
