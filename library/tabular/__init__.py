"""CSV files in, rows and a report of every fault out; it knows nothing of books or loans."""

from library.tabular.reading import Row, UnusableFileError, batches, read_rows
from library.tabular.report import (
    BadCellError,
    ChangedMeanwhileError,
    ImportRefusedError,
    ImportReport,
    Problem,
    kept_or_undone,
)
from library.tabular.text import clean_line, clean_text, longest, quoted

__all__ = [
    "BadCellError",
    "ChangedMeanwhileError",
    "ImportRefusedError",
    "ImportReport",
    "Problem",
    "Row",
    "UnusableFileError",
    "batches",
    "clean_line",
    "clean_text",
    "kept_or_undone",
    "longest",
    "quoted",
    "read_rows",
]
