"""Classifying books with the active version."""

import csv
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from django.db import transaction

from classifier.models import ModelVersion, Suggestion
from classifier.pipeline import suggestion as pipeline
from classifier.selectors import all_books, book_keys, catalogue, categories_by_key
from classifier.services.outputs import written_whole
from classifier.services.versions import active_version, load_version
from library.console import Progress, no_progress

RANKS = 3
_COLUMNS = ["book", "rank", "category", "probability", "model_version"]
_BATCH = 4096  # books classified at a time: bounds the memory on any catalogue


def classify(
    *,
    now: datetime,
    include_categorised: bool = False,
    output: Path | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Suggest categories with the active version.

    Suggestions are rows beside the book; no book's category changes.

    Parameters
    ----------
    now : datetime
    include_categorised : bool
        Every book, not only those without a category.
    output : Path, optional
        A CSV file for the suggestions: book, rank, category, probability, model_version.
    progress : callable

    Returns
    -------
    dict
        ``version``, ``books`` classified, ``suggestions`` kept.

    Raises
    ------
    ClassifierError
        If there is no version, its files are damaged, or `output` cannot be written.
    """
    version = active_version()
    model = load_version(version=version)
    books = all_books() if include_categorised else all_books().filter(category__isnull=True)
    wanted = catalogue(books)
    found: list[pipeline.Suggestion] = []
    for start in range(0, len(wanted.books), _BATCH):
        progress("classifying", start, len(wanted.books))
        part = type(wanted)(books=wanted.books[start : start + _BATCH], loans=wanted.loans)
        found.extend(model.suggest(part, ranks=RANKS))
    progress("classifying", len(wanted.books), len(wanted.books))
    rows = _rows(found, version=version, now=now)
    _replace(rows)
    if output is not None:
        _write(output, rows, version)
    return {
        "version": version.name,
        "books": len(wanted.books),
        "suggestions": len(rows),
        "output": str(output) if output else None,
    }


def _rows(
    found: Iterable[pipeline.Suggestion], *, version: ModelVersion, now: datetime
) -> list[tuple[str, Suggestion]]:
    """Return unsaved rows by control number; categories deleted since training are left out."""
    found = list(found)
    categories = categories_by_key()
    keys = book_keys(s.book for s in found)
    rows: list[tuple[str, Suggestion]] = []
    for number, ranked in groupby(found, key=lambda s: s.book):
        known = [s for s in ranked if s.category in categories and number in keys]
        rows.extend(
            (
                number,
                Suggestion(
                    book_id=keys[number],
                    rank=rank,
                    category=categories[s.category],
                    probability=s.probability,
                    model_version=version,
                    created_at=now,
                ),
            )
            for rank, s in enumerate(known, start=1)
        )
    return rows


@transaction.atomic
def _replace(rows: list[tuple[str, Suggestion]]) -> None:
    """Delete the books' old suggestions and insert the new: an open page must not accept another's row."""
    books = sorted({row.book_id for _number, row in rows})
    for start in range(0, len(books), 500):
        Suggestion.objects.filter(book_id__in=books[start : start + 500]).delete()
    Suggestion.objects.bulk_create((row for _number, row in rows), batch_size=2000)


def _write(output: Path, rows: list[tuple[str, Suggestion]], version: ModelVersion) -> None:
    with written_whole(output) as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number, row in rows:
            writer.writerow([number, row.rank, row.category.notation, f"{row.probability:.6f}", version.name])
