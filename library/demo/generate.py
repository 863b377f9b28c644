"""A demo library as files in the import format: invented throughout, and the same for the same seed."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from library.demo.books import DemoBook, write_books
from library.demo.categories import CATEGORIES
from library.demo.covers import save_cover
from library.demo.loans import DemoLoan, DemoSizeError, lend

WITH_COVER = 0.75
BOOK_COLUMNS = (
    "id", "title", "subtitle", "authors", "publisher", "year", "language", "isbn", "description", "category",
    "cover",
)  # fmt: skip


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo lies. ``answers.csv`` is for tests and is never imported."""

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
    def answers(self) -> Path:
        return self.folder / "answers.csv"


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
    """Write a demo library: books, categories, loans, covers, and the answers.

    Parameters
    ----------
    folder : Path
        Made where missing; an earlier demo in it is replaced.
    seed : int
        With the same seed, numbers, `now` and Pillow, every file is the same to the byte.
    titles, borrowers, loans : int
        How many, exactly.
    uncategorised : float
        Part of the titles (rounded) whose category is left out of ``books.csv``.
    now : datetime
        Aware; the history ends here.
    progress : callable
        ``progress(phase, done, total)``.

    Returns
    -------
    DemoFiles
        The paths.

    Raises
    ------
    DemoSizeError
        If the numbers do not fit together.
    """
    if titles < 1 or not 0 <= uncategorised <= 1:
        raise DemoSizeError(
            f"A demo needs one title at least and a part between 0 and 1 without category, "
            f"not {titles} titles and {uncategorised}.",
            titles=titles,
            uncategorised=uncategorised,
        )
    files = DemoFiles(folder)
    # A stream of chance for each: a change to the covers leaves the loans as they are.
    books = write_books(
        rng=random.Random(f"{seed} books"),
        titles=titles,
        # Older than the loans, so that no book is borrowed before it is published.
        latest_year=now.astimezone(UTC).year - 3,
        progress=progress,
    )
    lendings = lend(
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
        map(_loan_row, lendings),
    )
    _write_csv(files.answers, ("id", "category"), ((book.id, book.category) for book in books))
    return files


def _write_covers(
    *, rng: random.Random, books: list[DemoBook], folder: Path, progress: Callable[[str, int, int], None]
) -> dict[str, str]:
    """Draw covers for three books in four; return the file names by book."""
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
    # Imported here: it comes with Django, which nothing else here needs.
    from library.tabular import CsvWriter

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file)
        writer.writerow(header)
        writer.writerows(rows)
