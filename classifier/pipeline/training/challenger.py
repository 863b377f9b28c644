"""Compare a challenger with the champion on books that neither has learned from.

Holdout depends on a hash of the book's key alone (`splits.select_held_out`), but the maximum holdout may be
reached, authors grouped in one training only, or settings changed. So the champion's training books are
excluded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import cross_calibrated
from classifier.pipeline.evaluation.significance import compare_classifiers
from classifier.pipeline.features.extractor import Blocks
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue, Float64, Int64


def training_book_ids(model: TrainedModel) -> set[str]:
    """Return the ids of the books that the evaluation classifier has learned."""
    known = zip(model.training_index.ids, model.training_index.categories.tolist(), strict=True)
    return {book for book, category in known if category >= 0} - set(model.held_out)


def books_unseen_by_both(
    *, challenger: TrainedModel, champion: TrainedModel, catalogue: Catalogue
) -> list[BookRecord]:
    """Return the challenger's held-out books that the champion has not learned either."""
    unseen = set(challenger.held_out) - training_book_ids(champion)
    known = set(challenger.classes)
    return [book for book in catalogue.books if book.id in unseen and book.category in known]


def compare_challenger(
    *,
    challenger: TrainedModel,
    champion: TrainedModel,
    catalogue: Catalogue,
    current: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:
    """Compare two versions on current books that neither has learned from; `NotEnoughData` without any.

    Parameters
    ----------
    current
        Names of the champion's renamed and merged classes; None if retired. Merges since its training must
        not count as errors.

    Returns
    -------
    dict
        `compare_classifiers` (``candidate``: the challenger, ``active``: the champion) with the groupings
        ``by_category``, ``by_language`` and ``by_modalities`` (joined by ``+``); ``excluded_books``: held-out
        books that the champion has learned.
    """
    books = books_unseen_by_both(challenger=challenger, champion=champion, catalogue=catalogue)
    if not books:
        raise NotEnoughData(
            "There is no book that neither version has learned from. Categorise more books, then train again."
        )
    part = Catalogue(books=books, loans=catalogue.loans, parents=catalogue.parents)
    current_names = [(current or {}).get(name, name) for name in champion.classes]
    classes = sorted({*challenger.classes, *filter(None, current_names)})
    index = {name: i for i, name in enumerate(classes)}
    truth = np.array([index[book.category or ""] for book in books], np.int64)
    blocks = challenger.extractor.transform(part)
    return compare_classifiers(
        _probabilities(challenger, blocks, truth, classes, challenger.classes),
        _probabilities(champion, champion.extractor.transform(part), truth, classes, current_names),
        truth=truth,
        classes=classes,
        groups={
            "by_category": [book.category or "" for book in books],
            "by_language": [book.language for book in books],
            "by_modalities": _present(blocks),
        },
    ) | {"excluded_books": len(challenger.held_out) - len(books)}


def _probabilities(
    model: TrainedModel,
    blocks: Blocks,
    truth: Int64,
    classes: Sequence[str],
    current_names: Sequence[str | None],
) -> Float64:
    """Return probabilities (n_books, n_classes) for all classes, 0 for unknown ones, cross-calibrated."""
    index = {name: i for i, name in enumerate(classes)}
    columns = np.array([index[name] if name is not None else -1 for name in current_names], np.int64)
    scores = model.evaluation_classifier.scores(model.evaluation_classifier.encode(blocks))
    is_label = truth[:, None] == columns  # (n_books, n_own)
    # Among merged classes the most probable one is the label. A book of a category that the model does
    # not know counts as an error.
    own_label = np.where(is_label.any(axis=1), np.where(is_label, scores, -np.inf).argmax(axis=1), -1)
    probabilities = cross_calibrated(
        scores, own_label, prior=model.evaluation_classifier.expected_temperature_
    )
    result = np.zeros((len(truth), len(classes)))
    for column in np.flatnonzero(columns >= 0):
        result[:, columns[column]] += probabilities[:, column]
    return result


def _present(blocks: Blocks) -> list[str]:
    names = list(blocks)
    has = np.column_stack([block.present for block in blocks.values()])  # (n_books, n_modalities)
    return [
        "+".join(name for name, is_present in zip(names, row, strict=True) if is_present)
        for row in has.tolist()
    ]
