"""What comes out of the classifier: ranked categories of a book."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifier.pipeline.records import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One category for one book; rank 1 is the best guess.

    ``evidence`` is what `classifier.pipeline.evidence` gives, or empty where it was not asked for.
    """

    book: str
    rank: int
    category: str
    probability: float
    evidence: dict[str, Any] = field(default_factory=dict)


def best_categories(probabilities: Float32 | Float64, *, ranks: int) -> Int64:
    """Return the best `ranks` categories of each book, (n_books, ranks), fewer if there are fewer classes.

    Equal probabilities keep the order of the classes.
    """
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :ranks]


def best_suggestions(
    probabilities: Float32 | Float64, *, ids: Sequence[str], classes: Sequence[str], ranks: int = 3
) -> list[Suggestion]:
    """Return the best `ranks` categories of each book, best first.

    Parameters
    ----------
    probabilities : array (n_books, n_classes)
    ids : sequence of str
        Of the books, in the order of the rows.
    classes : sequence of str
        In the order of the columns; equal probabilities keep this order.
    ranks : int
        Fewer come back if there are fewer classes.
    """
    best = best_categories(probabilities, ranks=ranks)
    return [
        Suggestion(book=book, rank=rank, category=classes[c], probability=float(row[c]))
        for book, row, order in zip(ids, probabilities, best, strict=True)
        for rank, c in enumerate(order, start=1)
    ]
