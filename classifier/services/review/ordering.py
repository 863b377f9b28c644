"""Order of the review queue, by the expected benefit of a review."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import ReviewItem
from classifier.pipeline.active_learning import rank_for_review
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Float32, Int64
from classifier.selectors.records import all_books, catalogue
from classifier.selectors.reviews import demand_since, suggestions_to_review
from classifier.services.registry.versions import load_serving
from classifier.services.runs.context import JobContext
from classifier.services.runs.phases import SAVING
from library.catalogue.models import Book
from library.console import Progress

_BATCH = 2000  # rows per transaction: others write in between
_DAYS_PER_MONTH = 30.4
_HIGH_DEMAND_PERCENTILE = 90  # of the books with any demand
_FIELDS = ["position", "benefit", *ReviewItem.REASONS, "ordered_at"]


def order_reviews(context: JobContext) -> dict[str, Any]:
    """Order the books that wait for review; the same input gives the same order, and locks stay.

    The benefit of a review is the probability that the suggestion is wrong, times a weight that grows with
    the loans and holds of the last ``REVIEW_MONTHS``, summed over the book and those that the model encodes
    similarly.

    Returns
    -------
    dict
        ``version``, ``books`` that wait, and the number of books for each of `ReviewItem.REASONS`.

    Raises
    ------
    ClassifierError
        If there is no version, its files are damaged, or a library that a modality needs is missing.
    """
    now, progress = context.now, context.progress
    version, model = load_serving(now=now)
    progress("reading suggestions", 0, 1)
    books, wrong, reasons = _read()
    demand_by_book = demand_since(since=now - timedelta(days=_DAYS_PER_MONTH * settings.REVIEW_MONTHS))
    demand = np.array([demand_by_book.get(book, 0) for book in books.tolist()], float)
    positive = demand[demand > 0]
    threshold = np.percentile(positive, _HIGH_DEMAND_PERCENTILE) if len(positive) else np.inf
    reasons["high_demand"] = demand >= threshold
    progress("reading suggestions", 1, 1)

    def encode(rows: Int64) -> Float32:
        return _codes(model, books[rows], progress=progress)

    # Twice as many borrowers do not make a book twice as important.
    order, benefit = rank_for_review(wrong, 1 + np.log1p(demand), encode)
    for start in range(0, len(order), _BATCH):
        progress(SAVING, start, len(order))
        batch = order[start : start + _BATCH].tolist()
        _save(
            [
                ReviewItem(
                    book_id=int(books[row]),
                    position=position,
                    benefit=float(benefit[position - 1]),
                    ordered_at=now,
                    **{name: bool(applies[row]) for name, applies in reasons.items()},
                )
                for position, row in enumerate(batch, start=start + 1)
            ]
        )
    result = {"version": version.name, "books": len(order)}
    result |= {name: int(reasons[name].sum()) for name in ReviewItem.REASONS}
    with transaction.atomic():
        # Filed in the meantime, or without a suggestion now.
        ReviewItem.objects.exclude(ordered_at=now).delete()
        context.finish(result)
    progress(SAVING, len(order), len(order))
    return result


def _read() -> tuple[Int64, np.ndarray, dict[str, np.ndarray]]:
    """Return the books that wait, the probability that the model is wrong, and the reasons to review."""
    rows = [
        (book, probability, abstained, bool(disagree), not words and not co_borrowed)
        for book, probability, abstained, disagree, words, co_borrowed in suggestions_to_review()
    ]
    flags = ("low_confidence", "conflicting", "unfamiliar")
    table = np.array(rows, dtype=[("book", "i8"), ("probability", "f8"), *((name, "?") for name in flags)])
    wrong = np.clip(1 - table["probability"], 0, 1)
    return table["book"].copy(), wrong, {name: table[name] for name in flags}


def _codes(model: TrainedModel, books: Int64, *, progress: Progress) -> Float32:
    """Return the model's encodings of books, (n_books, d); zeros for a book that has been deleted."""
    rows = all_books().filter(pk__in=books.tolist())
    key_of = {number: pk for pk, number in rows.values_list("pk", "control_number")}
    row_of = {pk: row for row, pk in enumerate(books.tolist())}
    library = catalogue(rows)
    parts: list[Float32] = []
    for start in range(0, len(library.books), _BATCH):
        progress("comparing books", start, len(library.books))
        part = replace(library, books=library.books[start : start + _BATCH])
        try:
            parts.append(model.codes(part))
        except PipelineError as error:
            raise ClassifierError(error.message, **error.extra) from error
    progress("comparing books", len(library.books), len(library.books))
    if not parts:
        return np.zeros((len(books), 1), np.float32)
    encodings = np.concatenate(parts)
    codes = np.zeros((len(books), encodings.shape[1]), np.float32)
    for book, code in zip(library.books, encodings, strict=True):
        if book.id in key_of:  # else added between the two queries
            codes[row_of[key_of[book.id]]] = code
    return codes


@transaction.atomic
def _save(items: Sequence[ReviewItem]) -> None:
    existing = set(Book.objects.filter(pk__in=[item.pk for item in items]).values_list("pk", flat=True))
    ReviewItem.objects.bulk_create(
        [item for item in items if item.pk in existing],
        update_conflicts=True,
        unique_fields=["book"],
        update_fields=[*_FIELDS, "reviewed_at"],
    )
