"""What comes out of the classifier: ranked categories of a book."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifier.pipeline.records import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One category for one book; rank 1 is the best guess.

    ``evidence`` is what `classifier.pipeline.explanation.evidence` gives, or empty where it was not asked
    for.
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


def gathered(probabilities: Float64, current: Mapping[str, str | None], *, classes: Sequence[str]) -> Float64:
    """Return the probabilities of the categories that there are now.

    Of classes that have become one, the likeliest of a book has the sum, and the others have nothing: what
    speaks for it is the evidence. A class in whose place nothing is has nothing either, and nobody gets its
    share: the book is as likely as before to be none of the others.

    Parameters
    ----------
    probabilities : float array (n_books, n_classes)
    current : mapping of str to str or None
        What classes are called now, where that is not as at the training; None where no category is in their
        place.
    classes : sequence of str
        Of the columns.

    Returns
    -------
    float array (n_books, n_classes)
    """
    together: dict[str | None, list[int]] = defaultdict(list)
    for column, name in enumerate(classes):
        together[current.get(name, name)].append(column)
    result = probabilities.copy()
    result[:, together.pop(None, [])] = 0
    for columns in together.values():
        if len(columns) > 1:
            part = probabilities[:, columns]
            result[:, columns] = 0
            result[np.arange(len(part)), np.array(columns)[part.argmax(axis=1)]] = part.sum(axis=1)
    return np.minimum(result, 1)


def without(
    probabilities: Float64,
    rejected: Mapping[str, Collection[str]],
    *,
    ids: Sequence[str],
    classes: Sequence[str],
) -> Float64:
    """Return the probabilities, given that some books do not have some categories.

    Parameters
    ----------
    probabilities : float array (n_books, n_classes)
    rejected : mapping of str to collection of str
        By book; other books and categories than those here may be named.
    ids, classes : sequence of str
        Of the rows and of the columns.

    Returns
    -------
    float array (n_books, n_classes)
        The same where nothing is rejected; zeros where everything is.
    """
    column = {name: number for number, name in enumerate(classes)}
    result = probabilities.copy()
    for row, book in enumerate(ids):
        columns = [column[name] for name in rejected.get(book, ()) if name in column]
        if columns:
            result[row, columns] = 0
            result[row] /= max(result[row].sum(), 1e-12)
    return result
