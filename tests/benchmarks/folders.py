"""Read folders in the import format, and split their books the same way in every script."""

import csv
import gzip
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from classifier.pipeline.evaluation.splits import author_groups, author_key
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable
from classifier.pipeline.taxonomy.notation import implied_parents


def read_folder(folder: Path) -> Catalogue:
    """Return a folder in the import format (books.csv.gz, loans.csv.gz, covers/, audio/) as a catalogue."""
    with gzip.open(folder / "books.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts = ("id", "title", "authors", "publisher", "language", "description")
    books = [
        BookRecord(
            **{name: row[name] for name in texts},
            cover=folder / "covers" / row["cover"] if row["cover"] else None,
            audio=folder / "audio" / row["audio"] if row.get("audio") else None,
            category=row["category"] or None,
        )
        for row in rows
    ]
    return Catalogue(books=books, loans=_read_loans(folder / "loans.csv.gz", [book.id for book in books]))


def _read_loans(path: Path, ids: list[str]) -> LoanTable:
    if not path.exists():
        return LoanTable()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    index = {book: i for i, book in enumerate(ids)}
    people: dict[str, int] = {}
    return LoanTable(
        book_ids=ids,
        book=np.array([index[row["book"]] for row in rows], np.int32),
        borrower=np.array([people.setdefault(row["borrower"], len(people)) for row in rows], np.int32),
        borrowed_at=np.array([_seconds(row["borrowed_at"]) for row in rows], np.int64),
    )


def _seconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The classification problem that a catalogue poses.

    Attributes
    ----------
    y : int array (n_books,)
        Index of the category; -1 for an uncategorised book.
    groups : int array (n_books,) or None
        Authors, if the uncategorised books are by other authors (`splits.author_groups`).
    """

    catalogue: Catalogue
    classes: list[str]
    y: np.ndarray
    groups: np.ndarray | None

    @property
    def parents(self) -> dict[str, str]:
        """The tree that the notations imply, if any (`notation.implied_parents`)."""
        parents = implied_parents(f"/{name}" for name in self.classes)
        return {name.removeprefix("/"): parent.removeprefix("/") for name, parent in parents.items()}

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Problem":
        classes = sorted({book.category for book in catalogue.books if book.category})
        index = {name: i for i, name in enumerate(classes)}
        y = np.array([index[book.category] if book.category else -1 for book in catalogue.books])
        return cls(catalogue=catalogue, classes=classes, y=y, groups=author_groups(catalogue.books))

    def split(self, seed: int, *, at_most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training books and a held-out fifth of the books; with `groups` they share no author.

        Seeds 0 to 4 are the fifths of one partition, 5 to 9 those of the next: five seeds test every book
        once.
        """
        rng = np.random.default_rng(seed // 5)
        labelled = np.flatnonzero(self.y >= 0)
        authors = [author_key(self.catalogue.books[i]) for i in labelled]
        groups = labelled if self.groups is None else np.unique(authors, return_inverse=True)[1]
        names = rng.permutation(np.unique(groups))
        held_out = np.isin(groups, names[seed % 5 :: 5])
        return labelled[~held_out], rng.permutation(labelled[held_out])[:at_most]
