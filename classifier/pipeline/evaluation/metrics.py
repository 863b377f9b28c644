"""Figures of a classifier on books it has not learned from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from classifier.pipeline.evaluation.calibration import threshold
from classifier.pipeline.records import Float32, Float64, Int64
from classifier.pipeline.taxonomy.hierarchy import path_of

PRECISIONS = (0.90, 0.95)
"""For which the coverage is reported."""
_BINS = 15
_DRAWS = 200  # the mean error of which is known to a hundredth of itself


def expected_calibration_error(confidence: Float64, correct: Float64, *, bins: int = _BINS) -> float:
    """Return how far confidence and accuracy lie apart on average.

    Parameters
    ----------
    confidence : array (n,)
        Probability of the answer given, 0 to 1.
    correct : array (n,)
        1 where the answer is right, else 0.
    bins : int
        Bins of equal width.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    rows = reliability(confidence, correct, bins=bins)
    return float(sum(abs(row["confidence"] - row["accuracy"]) * row["books"] for row in rows) / len(correct))


def calibration_noise(confidence: Float64, *, bins: int = _BINS) -> float:
    """Return the calibration error to be expected of answers that are as sure as they should be.

    In a bin of few books, confidence and accuracy lie apart by chance. An error of this size says nothing
    against a model: it is about 0.09 with 130 books and 0.015 with 5,000.

    Parameters
    ----------
    confidence : array (n,)
        Probability of the answer given, 0 to 1.
    bins : int
        Bins of equal width.

    Returns
    -------
    float
        The mean over 200 sets of answers drawn to be right with just these probabilities, from a fixed seed.
    """
    rng = np.random.default_rng(0)
    which = np.minimum((confidence * bins).astype(int), bins - 1)  # (n,)
    total = 0.0
    for _draw in range(_DRAWS):
        off = (rng.random(len(confidence)) < confidence) - confidence
        total += np.abs(np.bincount(which, off)).sum()
    return float(total / (_DRAWS * len(confidence)))


def reliability(confidence: Float64, correct: Float64, *, bins: int = _BINS) -> list[dict[str, Any]]:
    """Return for each bin that has books: ``from``, ``to``, ``books``, mean ``confidence``, ``accuracy``."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)  # (n,)
    return [
        {
            "from": float(b / bins),
            "to": float((b + 1) / bins),
            "books": int(np.sum(which == b)),
            "confidence": float(confidence[which == b].mean()),
            "accuracy": float(correct[which == b].mean()),
        }
        for b in np.unique(which)
    ]


def figures(probabilities: Float32 | Float64, truth: Int64) -> dict[str, float]:
    """Return accuracy, macro-F1, top-3 accuracy, calibration error, and how much of it chance would bring.

    Parameters
    ----------
    probabilities : array (n_books, n_classes)
        Rows that sum to 1.
    truth : int array (n_books,)
        Index of the right class.
    """
    guess = probabilities.argmax(axis=1)
    top3 = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    correct = (guess == truth).astype(np.float64)
    confidence = probabilities.max(axis=1).astype(np.float64)
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1_score(truth, guess, average="macro", zero_division=0)),
        "top3": float((top3 == truth[:, None]).any(axis=1).mean()),
        "calibration_error": expected_calibration_error(confidence, correct),
        "calibration_noise": calibration_noise(confidence),
    }


def per_category(
    probabilities: Float32 | Float64, truth: Int64, *, classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return precision, recall, F1 and the number of books of each category that occurs in `truth`."""
    guess = probabilities.argmax(axis=1)
    table = {}
    for index in np.unique(truth):
        books, guessed = int(np.sum(truth == index)), int(np.sum(guess == index))
        hit = int(np.sum((guess == index) & (truth == index)))
        table[classes[index]] = {
            "books": books,
            "precision": hit / max(1, guessed),
            "recall": hit / books,
            "f1": 2 * hit / (books + guessed),
        }
    return table


def confusion(probabilities: Float32 | Float64, truth: Int64) -> list[list[int]]:
    """Return [right class, class guessed, books] of the cells that have books."""
    cells, books = np.unique(
        np.column_stack([truth, probabilities.argmax(axis=1)]), axis=0, return_counts=True
    )
    return [[int(right), int(guess), int(n)] for (right, guess), n in zip(cells, books, strict=True)]


def selective(confidence: Float64, correct: Float64) -> dict[str, Any]:
    """Return what abstaining brings.

    Parameters
    ----------
    confidence : array (n,)
        Probability of the answer given.
    correct : array (n,)
        1 where the answer is right, else 0.

    Returns
    -------
    dict
        ``at_precision``: for each of `PRECISIONS` the ``threshold`` (None if no threshold reaches it), the
        ``coverage`` and the ``precision`` of the answers given. ``curve``: [coverage, accuracy of the
        surest], in steps of a twentieth.
    """
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(correct[order])
    steps = np.unique(np.ceil(np.linspace(0.05, 1, 20) * len(correct)).astype(int))
    at = {}
    for precision in PRECISIONS:
        lowest = threshold(confidence, correct > 0, precision=precision)
        given = confidence >= lowest
        at[f"{precision:.2f}"] = {
            "threshold": float(lowest) if given.any() else None,
            "coverage": float(given.mean()),
            "precision": float(correct[given].mean()) if given.any() else None,
        }
    curve = [[float(n / len(correct)), float(right[n - 1] / n)] for n in steps]
    return {"at_precision": at, "curve": curve}


def by_level(
    probabilities: Float32 | Float64, truth: Int64, *, classes: Sequence[str], parents: Mapping[str, str]
) -> list[float]:
    """Return the accuracy at each level of the tree of categories, the top first.

    A wrong sibling is right at the level above. A category that ends above a level counts there as itself.

    Parameters
    ----------
    probabilities : array (n_books, n_classes)
    truth : int array (n_books,)
    classes : sequence of str
    parents : mapping of str to str
        Of each category that has one.

    Returns
    -------
    list of float
        One entry if no category has a parent.
    """
    paths = [path_of(name, parents) for name in classes]
    guess = probabilities.argmax(axis=1)
    return [
        float(np.mean([paths[g][:depth] == paths[t][:depth] for g, t in zip(guess, truth, strict=True)]))
        for depth in range(1, max(map(len, paths)) + 1)
    ]
