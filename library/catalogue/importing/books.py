"""Import of books from a CSV file."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.importing.fields import parse_row
from library.catalogue.importing.file_store import FileStore, file_stores
from library.catalogue.models import Book
from library.catalogue.selectors.books import book_ids
from library.catalogue.selectors.categories import category_ids, retired_notations
from library.catalogue.services import add_first_copies, check_open, ensure_categories, index_books
from library.console import Progress, no_progress
from library.db import batches
from library.tabular import FileImport, ImportReport, Row, clean_line, import_file, max_length, quoted

COLUMNS = (
    *("title", "subtitle", "authors", "publisher", "year", "language", "isbn", "description"),
    *("category", "cover", "audio"),
)
#: Rows in memory at a time; larger batches are not faster.
ROWS_PER_BATCH = 2_000


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
    """Create or update a book for each row of a file, in one transaction.

    Parameters
    ----------
    path
        CSV, plain or gzip, UTF-8. The column `id` is the control number, which identifies a book.
    covers, audio
        Folders of the files named in the columns `cover` and `audio`; by default `covers` and `audio` beside
        the file.
    dry_run
        Roll back at the end.
    strict
        Refuse the file if it has any problem.
    overwrite_categories
        Replace also categories that a librarian set.
    scheme
        The classification scheme of the column `category`.

    Raises
    ------
    UnusableFileError, NoFolderError
        If nothing can be read.
    ImportRefusedError, ConcurrentChangeError
        If nothing is imported; covers and recordings written so far are deleted.
    """
    with (
        file_stores(beside=path, covers=covers, audio=audio, dry_run=dry_run) as stores,
        import_file(
            path=path, required=("id",), optional=COLUMNS, dry_run=dry_run, strict=strict, progress=progress
        ) as file,
    ):
        work = _Import(file, stores, scheme, overwrite_categories, now)
        for batch in batches(file.rows, ROWS_PER_BATCH):
            work.write_batch(batch)
        work.finish()
    return file.report


class _Import:
    """State shared by the batches of an import."""

    def __init__(
        self,
        file: FileImport,
        stores: list[FileStore],
        scheme: str,
        overwrite_categories: bool,
        now: datetime,
    ) -> None:
        self.report = file.report
        self.stores = stores
        self.fields = [column for column in file.columns if column != "id"]
        if "category" in file.columns:
            self.fields.append("category_source")
        self.scheme = scheme
        self.overwrite_categories = overwrite_categories
        self.now = now
        self.categories = category_ids(scheme=scheme)
        self.retired = retired_notations(scheme=scheme)
        self.lines: dict[str, int] = {}  # last line of each id
        self.outcomes: dict[str, str] = {}
        self.categories_left = 0
        self.replaced: Counter[str] = Counter()  # books by notation of a replaced category

    def write_batch(self, rows: list[Row]) -> None:
        """Create or update the books of a batch of rows."""
        values_by_id: dict[str, dict[str, Any]] = {}
        for row in rows:
            if (number := self._control_number(row)) is not None:
                values = parse_row(row, this_year=self.now.year, report=self.report)
                for store in self.stores:
                    store.submit(values)
                # A repeated id updates the earlier row, as it would in a second file.
                values_by_id[number] = values_by_id.get(number, {}) | values
        for number, values in values_by_id.items():
            for store in self.stores:
                store.resolve(values, line=self.lines[number], report=self.report)
        # Locked, so that a category a librarian sets during the import is not overwritten.
        existing = Book.objects.select_for_update().in_bulk(list(values_by_id), field_name="control_number")
        for number in values_by_id.keys() - existing.keys():
            if not values_by_id[number].get("title"):
                self.report.skip(self.lines[number], "title", _("A new book needs a title."))
                del values_by_id[number]
        self._ensure_categories(
            {values["category"] for values in values_by_id.values() if "category" in values}
        )
        self._skip_retired(values_by_id)
        self._write(values_by_id, existing)

    def finish(self) -> None:
        """Complete the report."""
        report = self.report
        outcomes = Counter(self.outcomes.values())
        report.created, report.updated = outcomes["created"], outcomes["updated"]
        report.unchanged = outcomes["unchanged"]
        for store in self.stores:
            store.finish(report)
        for notation, books in sorted(self.replaced.items()):
            text = _(
                "Category %(category)s has been replaced: %(books)s books in the file were filed "
                "under its replacement. Update the file."
            )
            report.warnings.append(text % {"category": quoted(notation), "books": books})
        if self.categories_left:
            text = _("Kept categories set by a librarian: %s. To replace them, use --overwrite-categories.")
            report.warnings.append(text % self.categories_left)

    def _control_number(self, row: Row) -> str | None:
        number = clean_line(row.cells["id"])
        limit = max_length(Book, "control_number")
        if not number or len(number) > limit:
            values = {"text": quoted(number), "most": limit}
            message = (
                _("%(text)s is longer than %(most)s characters.") % values if number else _("Missing id.")
            )
            self.report.skip(row.line, "id", message)
            return None
        if "title" in row.cells and not clean_line(row.cells["title"]):
            self.report.skip(row.line, "title", _("Missing title."))
            return None
        if number in self.lines:
            values = {"id": quoted(number), "line": self.lines[number]}
            message = _("%(id)s duplicates line %(line)s. This line will be used.") % values
            self.report.problem(row.line, "id", message)
        self.lines[number] = row.line
        return number

    def _ensure_categories(self, notations: set[str]) -> None:
        if notations <= self.categories.keys():
            return
        created = ensure_categories(scheme=self.scheme, notations=notations)
        self.report.add_created("categories", created)
        self.categories = category_ids(scheme=self.scheme)

    def _skip_retired(self, values_by_id: dict[str, dict[str, Any]]) -> None:
        for number, values in values_by_id.items():
            if "category" not in values:
                continue
            notation = values["category"]
            if self.categories[notation] is None:
                text = _(
                    "Category %s was retired without a replacement; the value is skipped. Use another "
                    "category, or undo the category change."
                )
                self.report.problem(self.lines[number], "category", text % quoted(notation))
                del values["category"]
            elif notation in self.retired:
                self.replaced[notation] += 1

    def _write(self, values_by_id: dict[str, dict[str, Any]], existing: dict[str, Book]) -> None:
        changed: list[Book] = []
        new: list[str] = []
        for number, values in values_by_id.items():
            book = existing.get(number) or Book(control_number=number, created_at=self.now)
            differs = self._apply(book, values)
            if number not in existing:
                new.append(number)
                self.outcomes[number] = "created"
            elif self.outcomes.get(number) in (None, "unchanged"):
                self.outcomes[number] = "updated" if differs else "unchanged"
            if differs:
                # Matched by control number, not key: one statement then writes new and existing books, also
                # those that another import has created since.
                book.pk = None
                changed.append(book)
        if changed:
            Book.objects.bulk_create(
                changed, update_conflicts=True, unique_fields=["control_number"], update_fields=self.fields
            )
            check_open(categories=[book.category_id for book in changed])  # retired since they were read?
            ids = book_ids(control_numbers=[book.control_number for book in changed])
            index_books(pks=ids.values())
        self.report.add_created("copies", add_first_copies(control_numbers=new))

    def _apply(self, book: Book, values: dict[str, Any]) -> bool:
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
