"""Two versions of the model, judged on the books that neither has learned from.

Whether a book is held out is told by a hash of its key alone (`splits.held_out`), so a book that is held out
today was held out in every earlier training that knew its category: the fifth is the same one as the
library grows. Not quite always: the most books that are held out may be reached, authors may be kept
together in one training and not in another, a setting may be changed. So nothing is taken on trust: a
version names the books that it learned from, and these are left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from classifier.pipeline.artifact import TrainedModel
from classifier.pipeline.calibration import crossfitted
from classifier.pipeline.comparison import compared
from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.features import Blocks
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


def contest(*, candidate: TrainedModel, active: TrainedModel, catalogue: Catalogue) -> dict[str, Any]:
    """Compare what was judged of both versions, on the books that neither has learned from.

    Parameters
    ----------
    candidate, active : TrainedModel
    catalogue : Catalogue
        The library's books, loans and categories as they are now.

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
    classes = sorted({*candidate.classes, *active.classes})
    index = {name: i for i, name in enumerate(classes)}
    truth = np.array([index[book.category or ""] for book in books], np.int64)
    blocks = candidate.extractor.transform(part)
    return compared(
        _judged(candidate, blocks, truth, classes),
        _judged(active, active.extractor.transform(part), truth, classes),
        truth=truth,
        classes=classes,
        groups={
            "by_category": [book.category or "" for book in books],
            "by_language": [book.language for book in books],
            "by_modalities": _present(blocks),
        },
    ) | {"left_out": len(candidate.held_out) - len(books)}


def _judged(model: TrainedModel, blocks: Blocks, truth: Int64, classes: Sequence[str]) -> Float64:
    """Return probabilities (n_books, n_classes) of all classes; 0 of those that the model does not know.

    At no temperature that was fitted to these very books.
    """
    columns = np.searchsorted(classes, model.classes)
    own = np.full(len(classes), -1)
    own[columns] = np.arange(len(columns))
    scores = model.judged.scores(model.judged.encode(blocks))
    # A book in a category that the model does not know is one that it gets wrong.
    found = crossfitted(scores, own[truth], near=model.judged.expected_)
    result = np.zeros((len(truth), len(classes)))
    result[:, columns] = found
    return result


def _present(blocks: Blocks) -> list[str]:
    names = list(blocks)
    has = np.column_stack([block.present for block in blocks.values()])  # (n_books, n_modalities)
    return ["+".join(name for name, there in zip(names, row, strict=True) if there) for row in has.tolist()]
