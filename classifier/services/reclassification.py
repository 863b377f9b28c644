"""Classifying books with the active version."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from classifier.errors import ClassifierError, SettingError
from classifier.models import ModelVersion, Suggestion
from classifier.pipeline import suggestion as pipeline
from classifier.pipeline.errors import PipelineError
from classifier.review_selectors import rejected
from classifier.selectors import all_books, catalogue, categories_by_key
from classifier.services.outputs import written_whole
from classifier.services.reporting import Finish, no_finish
from classifier.services.versions import load_serving
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.tabular import CsvWriter

RANKS = 3
_COLUMNS = ["book", "rank", "category", "probability", "model_version", "abstained"]
_BATCH = 4096  # books classified and kept at a time: bounds the memory on any catalogue


def classify(
    *,
    now: datetime,
    include_categorised: bool = False,
    output: Path | None = None,
    precision: float | None = None,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Suggest categories with the active version, each with its evidence.

    Suggestions are rows beside the book; no book's category changes. Of a book that the model is not sure
    enough of they are marked as abstained: best guesses, and no suggestion. Rows are replaced batch by
    batch, those of a book all at once, so a run that is cut off leaves each book with its old rows or its
    new ones.

    Parameters
    ----------
    now : datetime
    include_categorised : bool
        Every book, not only those without a category.
    output : Path, optional
        A CSV file for the suggestions: book, rank, category, probability, model_version, abstained (1 or
        0). It is there whole or not at all.
    precision : float, optional
        Wanted share of right answers among those given, above 0 and below 1; left out, the setting
        ``SUGGESTION_PRECISION``.
    progress, finish : callable

    Returns
    -------
    dict
        ``version``, ``books`` classified, ``suggestions`` kept, ``abstained`` (books), ``precision``,
        ``threshold`` (probability below which it abstains; None if it always does) and ``output``.

    Raises
    ------
    SettingError
        If the precision is no share.
    ClassifierError
        If there is no version, its files are damaged, what it reads books with is missing, or `output`
        cannot be written.
    """
    if precision is None:
        precision = settings.SUGGESTION_PRECISION
    if not 0 < precision < 1:
        raise SettingError(
            f"The precision is {precision:g}; it must be above 0 and below 1.", precision=str(precision)
        )
    version, model = load_serving(now=now)
    threshold = model.threshold(precision=precision)
    books = all_books() if include_categorised else all_books().filter(category__isnull=True)
    wanted = catalogue(books)
    never = rejected()
    kept = abstained = 0
    with written_whole(output) if output else nullcontext() as file:
        writer = CsvWriter(file) if file else None
        if writer:
            writer.writerow(_COLUMNS)
        for start in range(0, len(wanted.books), _BATCH):
            progress("classifying", start, len(wanted.books))
            part = type(wanted)(books=wanted.books[start : start + _BATCH], loans=wanted.loans)
            try:
                found = model.explain(part, ranks=RANKS, rejected=never)
            except PipelineError as error:
                raise ClassifierError(error.message, **error.extra) from error
            rows = _replace(found, threshold=threshold, version=version, now=now)
            kept += len(rows)
            abstained += sum(row.rank == 1 and row.abstained for _number, row in rows)
            if writer:
                writer.writerows(_line(number, row) for number, row in rows)
    progress("classifying", len(wanted.books), len(wanted.books))
    result = {
        "version": version.name,
        "books": len(wanted.books),
        "suggestions": kept,
        "abstained": abstained,
        "precision": precision,
        "threshold": threshold if math.isfinite(threshold) else None,
        "output": str(output) if output else None,
    }
    finish(result)
    return result


@transaction.atomic
def _replace(
    found: Sequence[pipeline.Suggestion], *, threshold: float, version: ModelVersion, now: datetime
) -> list[tuple[str, Suggestion]]:
    """Delete the books' old suggestions and insert the new: an open page must not accept another's row.

    Returns the new rows by control number. Books deleted since they were read, and categories deleted
    since training, are left out.
    """
    categories = categories_by_key()
    # The books are those of a range of control numbers, in order.
    between = Book.objects.filter(control_number__range=(found[0].book, found[-1].book))
    keys = dict(between.values_list("control_number", "id"))
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
                    abstained=known[0].probability < threshold,
                    evidence=s.evidence,
                ),
            )
            for rank, s in enumerate(known, start=1)
        )
    books = sorted({row.book_id for _number, row in rows})
    for start in range(0, len(books), 500):
        Suggestion.objects.filter(book_id__in=books[start : start + 500]).delete()
    Suggestion.objects.bulk_create((row for _number, row in rows), batch_size=2000)
    return rows


def _line(number: str, row: Suggestion) -> list[object]:
    return [
        number,
        row.rank,
        row.category.notation,
        f"{row.probability:.6f}",
        row.model_version.name,
        int(row.abstained),
    ]
