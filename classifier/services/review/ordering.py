"""Putting the books that wait for review in order, by what a review is expected to bring."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import ReviewItem
from classifier.pipeline.active_learning import review_order
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Float32, Int64
from classifier.selectors.records import all_books, catalogue
from classifier.selectors.reviews import suggestions_to_review, uses_since
from classifier.services.registry.versions import load_serving
from classifier.services.runs.heartbeat import Finish, no_finish
from library.catalogue.models import Book
from library.console import Progress, no_progress

_BATCH = 2000  # rows a transaction: others write in between
_DAYS_A_MONTH = 30.4
_MUCH = 90
"""Percentile of the uses of the books that are used at all, from which on one is much borrowed."""
_FIELDS = ["place", "benefit", "unsure", "disagree", "borrowed", "unlike", "ordered_at"]


def order_reviews(
    *, now: datetime, progress: Progress = no_progress, finish: Finish = no_finish
) -> dict[str, Any]:
    """Order the books that wait for review anew, by the current suggestions and the active version.

    A review is worth the chance that the suggestion is wrong, times a weight that rises with loans and holds
    of the last ``REVIEW_MONTHS``, for the book itself and for those that the model sees as like it. Locks
    stay; done again, the order is the same.

    Parameters
    ----------
    now : datetime
    progress, finish : callable

    Returns
    -------
    dict
        ``version``, ``books`` that wait, and of each of `ReviewItem.REASONS` how many wait for that.

    Raises
    ------
    ClassifierError
        If there is no version, its files are damaged, or what it reads books with is missing.
    """
    version, model = load_serving(now=now)
    progress("reading suggestions", 0, 1)
    books, wrong, reasons = _read()
    uses_by_book = uses_since(since=now - timedelta(days=_DAYS_A_MONTH * settings.REVIEW_MONTHS))
    uses = np.array([uses_by_book.get(book, 0) for book in books.tolist()], float)
    some = uses[uses > 0]
    reasons["borrowed"] = uses >= (np.percentile(some, _MUCH) if len(some) else np.inf)
    progress("reading suggestions", 1, 1)

    def see(rows: Int64) -> Float32:
        return _seen(model, books[rows], progress=progress)

    # Twice as many readers do not make a book twice as important.
    order, benefit = review_order(wrong, 1 + np.log1p(uses), see)
    for start in range(0, len(order), _BATCH):
        progress("saving", start, len(order))
        batch = order[start : start + _BATCH].tolist()
        _save(
            [
                ReviewItem(
                    book_id=int(books[row]),
                    place=place,
                    benefit=float(benefit[place - 1]),
                    ordered_at=now,
                    **{name: bool(said[row]) for name, said in reasons.items()},
                )
                for place, row in enumerate(batch, start=start + 1)
            ]
        )
    result = {"version": version.name, "books": len(order)}
    result |= {name: int(reasons[name].sum()) for name in ReviewItem.REASONS}
    with transaction.atomic():
        # Filed meanwhile, or without a suggestion now.
        ReviewItem.objects.exclude(ordered_at=now).delete()
        finish(result)
    progress("saving", len(order), len(order))
    return result


def _read() -> tuple[Int64, np.ndarray, dict[str, np.ndarray]]:
    """Return the books that wait, how likely the model is wrong, and for which reasons they wait."""
    rows = [
        (book, sure, abstained, bool(disagree), not words and not borrowed_with)
        for book, sure, abstained, disagree, words, borrowed_with in suggestions_to_review()
    ]
    flags = ("unsure", "disagree", "unlike")
    table = np.array(rows, dtype=[("book", "i8"), ("sure", "f8"), *((name, "?") for name in flags)])
    return table["book"].copy(), np.clip(1 - table["sure"], 0, 1), {name: table[name] for name in flags}


def _seen(model: TrainedModel, books: Int64, *, progress: Progress) -> Float32:
    """Return books as the model sees them, (n_books, d); one deleted since is all zeros."""
    rows = all_books().filter(pk__in=books.tolist())
    key_of = {number: pk for pk, number in rows.values_list("pk", "control_number")}
    place = {pk: row for row, pk in enumerate(books.tolist())}
    wanted = catalogue(rows)
    seen: list[Float32] = []
    for start in range(0, len(wanted.books), _BATCH):
        progress("comparing books", start, len(wanted.books))
        part = replace(wanted, books=wanted.books[start : start + _BATCH])
        try:
            seen.append(model.codes(part))
        except PipelineError as error:
            raise ClassifierError(error.message, **error.extra) from error
    progress("comparing books", len(wanted.books), len(wanted.books))
    if not seen:
        return np.zeros((len(books), 1), np.float32)
    codes = np.concatenate(seen)
    found = np.zeros((len(books), codes.shape[1]), np.float32)
    for book, code in zip(wanted.books, codes, strict=True):
        if book.id in key_of:  # not added between the two queries
            found[place[key_of[book.id]]] = code
    return found


@transaction.atomic
def _save(items: Sequence[ReviewItem]) -> None:
    """Write the items of books that are still there; who has one locked keeps it."""
    there = set(Book.objects.filter(pk__in=[item.pk for item in items]).values_list("pk", flat=True))
    ReviewItem.objects.bulk_create(
        [item for item in items if item.pk in there],
        update_conflicts=True,
        unique_fields=["book"],
        update_fields=[*_FIELDS, "reviewed_at"],
    )
