"""Suggestions: ranked categories of a book."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.pipeline.evidence import Evidence
from classifier.pipeline.records import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One category for one book; rank 1 is the best. ``evidence`` is None unless requested."""

    book: str
    rank: int
    category: str
    probability: float
    evidence: Evidence | None = None


def top_categories(probabilities: Float32 | Float64, *, ranks: int) -> Int64:
    """Return the best `ranks` categories, (n_books, at most ranks); ties keep the order of the classes."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :ranks]


def rank_suggestions(
    probabilities: Float32 | Float64, *, ids: Sequence[str], classes: Sequence[str], ranks: int = 3
) -> list[Suggestion]:
    """Return suggestions from `top_categories`, by book, best first."""
    best = top_categories(probabilities, ranks=ranks)
    return [
        Suggestion(book=book, rank=rank, category=classes[c], probability=float(row[c]))
        for book, row, order in zip(ids, probabilities, best, strict=True)
        for rank, c in enumerate(order, start=1)
    ]


def merge_classes(
    probabilities: Float64, current: Mapping[str, str | None], *, classes: Sequence[str]
) -> Float64:
    """Return probabilities of the current categories: `current` renames or merges classes; None retires one.

    Among merged classes, the most probable one of a book gets the sum and the others 0: evidence refers to
    that class. The probability of a retired class is not redistributed: the others get no likelier.
    """
    columns_by_name: dict[str | None, list[int]] = defaultdict(list)
    for column, name in enumerate(classes):
        columns_by_name[current.get(name, name)].append(column)
    result = probabilities.copy()
    result[:, columns_by_name.pop(None, [])] = 0
    for columns in columns_by_name.values():
        if len(columns) > 1:
            part = probabilities[:, columns]
            result[:, columns] = 0
            result[np.arange(len(part)), np.array(columns)[part.argmax(axis=1)]] = part.sum(axis=1)
    return np.minimum(result, 1)


def exclude_rejected(
    probabilities: Float64,
    rejected: Mapping[str, Collection[str]],
    *,
    ids: Sequence[str],
    classes: Sequence[str],
) -> Float64:
    """Return probabilities conditional on books not having some categories; zeros if none remains.

    Parameters
    ----------
    rejected
        By book; unknown books and categories are ignored.
    """
    column = {name: number for number, name in enumerate(classes)}
    result = probabilities.copy()
    for row, book in enumerate(ids):
        columns = [column[name] for name in rejected.get(book, ()) if name in column]
        if columns:
            result[row, columns] = 0
            result[row] /= max(result[row].sum(), 1e-12)
    return result
