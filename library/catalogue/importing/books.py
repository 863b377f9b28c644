"""Import of books from a CSV file."""

from collections import Counter
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.importing.fields import read_values
from library.catalogue.importing.file_store import FileStore, file_stores
from library.catalogue.models import Book
from library.catalogue.selectors.books import book_ids
from library.catalogue.selectors.categories import category_ids, retired_notations
from library.catalogue.services import add_first_copies, check_open, ensure_categories, index_books
from library.console import Progress, no_progress
from library.db import batches
from library.tabular import ImportReport, Row, clean_line, kept_or_undone, longest, quoted, read_rows

COLUMNS = (
    *("title", "subtitle", "authors", "publisher", "year", "language", "isbn", "description"),
    *("category", "cover", "audio"),
)
#: Rows held in memory at a time; more make no statement quicker.
BATCH = 2_000


def import_books(
    *,
    path: Path,
    covers: Path | None = None,
    audio: Path | None = None,
    dry_run: bool = False,
    strict: bool = False,
    overwrite_categories: bool = False,
    scheme: str = "local",
    now: datetime,
    progress: Progress = no_progress,
) -> ImportReport:
    """Make or update a book for each row of a file, in one transaction.

    Parameters
    ----------
    path : Path
        CSV, plain or gzip, UTF-8; the column `id` is the control number, by which a book is known again.
    covers, audio : Path, optional
        The folders of the files that the columns `cover` and `audio` name; by default `covers` and `audio`
        beside the file.
    dry_run : bool
        Do it all, then undo it.
    strict : bool
        Keep nothing if there is any problem.
    overwrite_categories : bool
        Replace categories that a librarian set, too.
    scheme : str
        The classification scheme of the column `category`.
    now : datetime
    progress : Progress

    Returns
    -------
    ImportReport

    Raises
    ------
    UnusableFileError, NoFolderError
        If nothing can be read.
    ImportRefusedError, ChangedMeanwhileError
        If nothing was kept; any cover and recording written is gone too.
    """
    report = ImportReport(file=path.name, dry_run=dry_run)
    with (
        file_stores(beside=path, covers=covers, audio=audio, dry_run=dry_run) as stores,
        kept_or_undone(report, strict=strict),
    ):
        columns, rows = read_rows(
            path=path,
            required=("id",),
            optional=COLUMNS,
            report=report,
            progress=partial(progress, f"reading {path.name} (KiB)"),
        )
        work = _Import(report, stores, columns, scheme, overwrite_categories, now)
        for batch in batches(rows, BATCH):
            work.take(batch)
        work.finish()
    return report


class _Import:
    """What is known between one batch of rows and the next."""

    def __init__(
        self,
        report: ImportReport,
        stores: list[FileStore],
        columns: list[str],
        scheme: str,
        overwrite_categories: bool,
        now: datetime,
    ) -> None:
        self.report = report
        self.stores = stores
        self.fields = [column for column in columns if column != "id"]
        if "category" in columns:
            self.fields.append("category_source")
        self.scheme = scheme
        self.overwrite_categories = overwrite_categories
        self.now = now
        self.categories = category_ids(scheme=scheme)
        self.retired = retired_notations(scheme=scheme)
        self.lines: dict[str, int] = {}  # where each id was last seen
        self.outcomes: dict[str, str] = {}
        self.categories_left = 0
        self.given_up: Counter[str] = Counter()  # notations that another category stands for

    def take(self, rows: list[Row]) -> None:
        """Write what a batch of rows says."""
        said: dict[str, dict[str, Any]] = {}
        for row in rows:
            if (number := self._control_number(row)) is not None:
                values = read_values(row, this_year=self.now.year, report=self.report)
                for store in self.stores:
                    store.send(values)
                # A row that repeats an id adds to the one before, as it would in a file of its own.
                said[number] = said.get(number, {}) | values
        for number, values in said.items():
            for store in self.stores:
                store.fetch(values, line=self.lines[number], report=self.report)
        # Locked, so that a librarian who files a book meanwhile has the last word.
        known = Book.objects.select_for_update().in_bulk(list(said), field_name="control_number")
        for number in said.keys() - known.keys():
            if not said[number].get("title"):
                self.report.skip(self.lines[number], "title", _("A new book needs a title."))
                del said[number]
        self._ensure_categories({values["category"] for values in said.values() if "category" in values})
        self._leave_out_retired(said)
        self._write(said, known)

    def finish(self) -> None:
        """Count, and say what was passed over."""
        report = self.report
        counted = Counter(self.outcomes.values())
        report.created, report.updated = counted["created"], counted["updated"]
        report.unchanged = counted["unchanged"]
        for store in self.stores:
            store.finish(report)
        if not self.lines and not report.skipped:
            report.warnings.append(_("%s has no rows.") % report.file)
        for notation, books in sorted(self.given_up.items()):
            text = _(
                "%(category)s was given up: %(books)s books that the file has there were taken for the "
                "category in its place. Name that one in the file."
            )
            report.warnings.append(text % {"category": quoted(notation), "books": books})
        if self.categories_left:
            text = _(
                "%s categories set by a librarian were left as they are; "
                "--overwrite-categories replaces them."
            )
            report.warnings.append(text % self.categories_left)

    def _control_number(self, row: Row) -> str | None:
        """Return the id of a row that can be kept; report one that cannot."""
        number = clean_line(row.cells["id"])
        most = longest(Book, "control_number")
        if not number or len(number) > most:
            values = {"text": quoted(number), "most": most}
            message = _("%(text)s is longer than %(most)s characters.") % values if number else _("No id.")
            self.report.skip(row.line, "id", message)
            return None
        if "title" in row.cells and not clean_line(row.cells["title"]):
            self.report.skip(row.line, "title", _("No title."))
            return None
        if number in self.lines:
            values = {"id": quoted(number), "line": self.lines[number]}
            message = _("%(id)s is on line %(line)s already; this line is the one that counts.") % values
            self.report.problem(row.line, "id", message)
        self.lines[number] = row.line
        return number

    def _ensure_categories(self, notations: set[str]) -> None:
        if notations <= self.categories.keys():
            return
        made = ensure_categories(scheme=self.scheme, notations=notations)
        self.report.add_made("categories", made)
        self.categories = category_ids(scheme=self.scheme)

    def _leave_out_retired(self, said: dict[str, dict[str, Any]]) -> None:
        for number, values in said.items():
            if "category" not in values:
                continue
            notation = values["category"]
            if self.categories[notation] is None:
                text = _(
                    "%s was retired and no category is in its place; left out. Name another category, "
                    "or undo the taxonomy change."
                )
                self.report.problem(self.lines[number], "category", text % quoted(notation))
                del values["category"]
            elif notation in self.retired:
                self.given_up[notation] += 1

    def _write(self, said: dict[str, dict[str, Any]], known: dict[str, Book]) -> None:
        changed: list[Book] = []
        new: list[str] = []
        for number, values in said.items():
            book = known.get(number) or Book(control_number=number, created_at=self.now)
            differs = self._apply(book, values)
            if number not in known:
                new.append(number)
                self.outcomes[number] = "created"
            elif self.outcomes.get(number) in (None, "unchanged"):
                self.outcomes[number] = "updated" if differs else "unchanged"
            if differs:
                # By the control number, not the key: one statement then serves new books and known ones,
                # and another import's that came in meanwhile.
                book.pk = None
                changed.append(book)
        if changed:
            Book.objects.bulk_create(
                changed, update_conflicts=True, unique_fields=["control_number"], update_fields=self.fields
            )
            check_open(categories=[book.category_id for book in changed])  # they may be given up meanwhile
            written = book_ids(control_numbers=[book.control_number for book in changed])
            index_books(pks=written.values())
        self.report.add_made("copies", add_first_copies(control_numbers=new))

    def _apply(self, book: Book, values: dict[str, Any]) -> bool:
        """Set a book's values; return whether that changed any."""
        differs = False
        for column, value in values.items():
            if column == "category":
                differs |= self._file_under(book, self.categories[value])
            elif getattr(book, column) != value:
                setattr(book, column, value)
                differs = True
        return differs

    def _file_under(self, book: Book, category_id: int | None) -> bool:
        source = Book.CategorySource
        if book.category_source == source.LIBRARIAN:
            if book.category_id == category_id:
                return False
            if not self.overwrite_categories:
                self.categories_left += 1
                return False
        if (book.category_id, book.category_source) == (category_id, source.IMPORTED):
            return False
        book.category_id, book.category_source = category_id, source.IMPORTED
        return True
