"""Generate a demo library as files in the import format: fictitious, and reproducible from the seed."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from library.demo.books import DemoBook, generate_books
from library.demo.categories import CATEGORIES
from library.demo.covers import save_cover
from library.demo.loans import DemoLoan, DemoSizeError, generate_loans

WITH_COVER = 0.75
BOOK_COLUMNS = (
    "id", "title", "subtitle", "authors", "publisher", "year", "language", "isbn", "description", "category",
    "cover",
)  # fmt: skip


@dataclass(frozen=True)
class DemoFiles:
    """The paths of a demo. ``true_categories.csv`` is for tests and is never imported."""

    folder: Path

    @property
    def books(self) -> Path:
        return self.folder / "books.csv"

    @property
    def categories(self) -> Path:
        return self.folder / "categories.csv"

    @property
    def loans(self) -> Path:
        return self.folder / "loans.csv"

    @property
    def covers(self) -> Path:
        return self.folder / "covers"

    @property
    def true_categories(self) -> Path:
        return self.folder / "true_categories.csv"


def generate(
    *,
    folder: Path,
    seed: int,
    titles: int = 1_000,
    borrowers: int = 400,
    loans: int = 12_000,
    uncategorised: float = 1 / 3,
    now: datetime,
    progress: Callable[[str, int, int], None],
) -> DemoFiles:
    """Write a demo library: books, categories, loans, covers and true categories.

    Parameters
    ----------
    folder
        Created if missing; an earlier demo in it is replaced.
    seed
        The same seed, numbers, `now` and version of Pillow give byte-identical files.
    titles, borrowers, loans
        Exact numbers.
    uncategorised
        Fraction of the titles (rounded) without a category in ``books.csv``.
    now
        Aware; the end of the loan history.
    progress
        ``progress(phase, done, total)``.

    Raises
    ------
    DemoSizeError
        If the numbers are inconsistent.
    """
    if titles < 1 or not 0 <= uncategorised <= 1:
        raise DemoSizeError(
            "A demo needs at least one title and a fraction of uncategorised titles between 0 and 1, "
            f"not {titles} titles and {uncategorised}.",
            titles=titles,
            uncategorised=uncategorised,
        )
    files = DemoFiles(folder)
    # Independent random streams: a change to the covers does not change the loans.
    books = generate_books(
        rng=random.Random(f"{seed} books"),
        titles=titles,
        # Before the first loan, so that no book is borrowed before it is published.
        latest_year=now.astimezone(UTC).year - 3,
        progress=progress,
    )
    demo_loans = generate_loans(
        rng=random.Random(f"{seed} loans"),
        books=books,
        borrowers=borrowers,
        loans=loans,
        now=now,
        progress=progress,
    )
    covers = _write_covers(
        rng=random.Random(f"{seed} covers"), books=books, folder=files.covers, progress=progress
    )
    rng = random.Random(f"{seed} uncategorised")
    hidden = {book.id for book in rng.sample(books, round(uncategorised * titles))}

    _write_csv(
        files.categories,
        ("notation", "label_en", "label_zh", "parent"),
        ((row.notation, row.label_en, row.label_zh, row.parent) for row in CATEGORIES),
    )
    _write_csv(
        files.books,
        BOOK_COLUMNS,
        (
            _book_row(
                book, category="" if book.id in hidden else book.category, cover=covers.get(book.id, "")
            )
            for book in books
        ),
    )
    _write_csv(
        files.loans,
        ("borrower", "book", "borrowed_at", "returned_at", "due_at", "renewals"),
        map(_loan_row, demo_loans),
    )
    _write_csv(files.true_categories, ("id", "category"), ((book.id, book.category) for book in books))
    return files


def _write_covers(
    *, rng: random.Random, books: list[DemoBook], folder: Path, progress: Callable[[str, int, int], None]
) -> dict[str, str]:
    """Draw covers for three quarters of the books; return the file names by book id."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("demo-*.jpg"):
        old.unlink()
    chosen = sorted(rng.sample(books, round(WITH_COVER * len(books))))
    for number, book in enumerate(chosen, start=1):
        save_cover(rng=rng, book=book, path=folder / f"{book.id}.jpg")
        progress("drawing covers", number, len(chosen))
    return {book.id: f"{book.id}.jpg" for book in chosen}


def _book_row(book: DemoBook, *, category: str, cover: str) -> tuple[str | int, ...]:
    return (
        book.id, book.title, book.subtitle, book.authors, book.publisher, book.year, book.language, book.isbn,
        book.description, category, cover,
    )  # fmt: skip


def _loan_row(loan: DemoLoan) -> tuple[str | int, ...]:
    returned = _utc(loan.returned_at) if loan.returned_at else ""
    return loan.borrower, loan.book, _utc(loan.borrowed_at), returned, _utc(loan.due_at), loan.renewals


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str | int]]) -> None:
    # Imported here: it needs Django, which nothing else here needs.
    from library.tabular import CsvWriter

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file)
        writer.writerow(header)
        writer.writerows(rows)
