"""Two versions of the model, judged on the books that neither has learned from.

Whether a book is held out is told by a hash of its key alone (`splits.held_out`), so a book that is held out
today was held out in every earlier training that knew its category: the fifth is the same one as the
library grows. Not quite always: the most books that are held out may be reached, authors may be kept
together in one training and not in another, a setting may be changed. So nothing is taken on trust: a
version names the books that it learned from, and these are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import crossfitted
from classifier.pipeline.evaluation.significance import compared
from classifier.pipeline.features.extractor import Blocks
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue, Float64, Int64


def learned_from(model: TrainedModel) -> set[str]:
    """Return the ids of the books whose categories the judged model has learned."""
    known = zip(model.gallery.ids, model.gallery.categories.tolist(), strict=True)
    return {book for book, category in known if category >= 0} - set(model.held_out)


def fair_books(*, candidate: TrainedModel, active: TrainedModel, catalogue: Catalogue) -> list[BookRecord]:
    """Return the candidate's held-out books that the active version has not learned from either."""
    fair = set(candidate.held_out) - learned_from(active)
    known = set(candidate.classes)
    return [book for book in catalogue.books if book.id in fair and book.category in known]


def contest(
    *,
    candidate: TrainedModel,
    active: TrainedModel,
    catalogue: Catalogue,
    current: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:
    """Compare what was judged of both versions, on the books that neither has learned from.

    Parameters
    ----------
    candidate, active : TrainedModel
    catalogue : Catalogue
        The library's books, loans and categories as they are now.
    current : mapping of str to str or None, optional
        What classes of the active version are called now, where that is otherwise; None of those that are no
        more: it must not be held against it that categories were merged since.

    Returns
    -------
    dict
        What `comparison.compared` gives, by ``by_category``, ``by_language`` and ``by_modalities`` (those
        that a book has, joined by ``+``); ``left_out``: held-out books that the active version has learned.

    Raises
    ------
    NotEnoughData
        If there is no such book.
    """
    books = fair_books(candidate=candidate, active=active, catalogue=catalogue)
    if not books:
        raise NotEnoughData(
            "There is no book that neither version has learned from. Categorise more books, and train again."
        )
    part = Catalogue(books=books, loans=catalogue.loans, parents=catalogue.parents)
    named = [(current or {}).get(name, name) for name in active.classes]
    classes = sorted({*candidate.classes, *filter(None, named)})
    index = {name: i for i, name in enumerate(classes)}
    truth = np.array([index[book.category or ""] for book in books], np.int64)
    blocks = candidate.extractor.transform(part)
    return compared(
        _judged(candidate, blocks, truth, classes, candidate.classes),
        _judged(active, active.extractor.transform(part), truth, classes, named),
        truth=truth,
        classes=classes,
        groups={
            "by_category": [book.category or "" for book in books],
            "by_language": [book.language for book in books],
            "by_modalities": _present(blocks),
        },
    ) | {"left_out": len(candidate.held_out) - len(books)}


def _judged(
    model: TrainedModel, blocks: Blocks, truth: Int64, classes: Sequence[str], named: Sequence[str | None]
) -> Float64:
    """Return probabilities (n_books, n_classes) of all classes; 0 of those that the model does not know.

    At no temperature that was fitted to these very books.
    """
    index = {name: i for i, name in enumerate(classes)}
    columns = np.array([index[name] if name is not None else -1 for name in named], np.int64)
    scores = model.judged.scores(model.judged.encode(blocks))
    right = truth[:, None] == columns  # (n_books, n_own)
    # Of several that have become one, the likeliest is the right answer. A book in a category that the model
    # does not know is one that it gets wrong.
    own = np.where(right.any(axis=1), np.where(right, scores, -np.inf).argmax(axis=1), -1)
    found = crossfitted(scores, own, near=model.judged.expected_)
    result = np.zeros((len(truth), len(classes)))
    for column in np.flatnonzero(columns >= 0):
        result[:, columns[column]] += found[:, column]
    return result


def _present(blocks: Blocks) -> list[str]:
    names = list(blocks)
    has = np.column_stack([block.present for block in blocks.values()])  # (n_books, n_modalities)
    return ["+".join(name for name, there in zip(names, row, strict=True) if there) for row in has.tolist()]
