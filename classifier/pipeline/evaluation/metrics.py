"""Metrics of a classifier on held-out books."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from classifier.pipeline.evaluation.calibration import threshold
from classifier.pipeline.records import Float32, Float64, Int64
from classifier.pipeline.taxonomy.hierarchy import path_of

PRECISIONS = (0.90, 0.95)
"""Precisions for which the coverage is reported."""
_BINS = 15
_DRAWS = 200  # enough for 1 % relative error of the mean


def expected_calibration_error(confidence: Float64, correct: Float64, *, bins: int = _BINS) -> float:
    """Return the mean gap between confidence and accuracy, weighted by books (Guo et al. 2017, eq. 3)."""
    rows = reliability_bins(confidence, correct, bins=bins)
    return float(sum(abs(row["confidence"] - row["accuracy"]) * row["books"] for row in rows) / len(correct))


def calibration_noise(confidence: Float64, *, bins: int = _BINS) -> float:
    """Return the expected calibration error of perfectly calibrated predictions, from 200 simulations.

    By chance, confidence and accuracy differ in a bin of few books: about 0.09 with 130 books, 0.015 with
    5,000. An error of this size does not count against a model.
    """
    rng = np.random.default_rng(0)
    bin_ = np.minimum((confidence * bins).astype(int), bins - 1)  # (n,)
    total = 0.0
    for _draw in range(_DRAWS):
        error = (rng.random(len(confidence)) < confidence) - confidence
        total += np.abs(np.bincount(bin_, error)).sum()
    return float(total / (_DRAWS * len(confidence)))


def reliability_bins(confidence: Float64, correct: Float64, *, bins: int = _BINS) -> list[dict[str, Any]]:
    """Return ``from``, ``to``, ``books``, mean ``confidence`` and ``accuracy`` of each non-empty bin."""
    bin_ = np.minimum((confidence * bins).astype(int), bins - 1)  # (n,)
    return [
        {
            "from": float(b / bins),
            "to": float((b + 1) / bins),
            "books": int(np.sum(bin_ == b)),
            "confidence": float(confidence[bin_ == b].mean()),
            "accuracy": float(correct[bin_ == b].mean()),
        }
        for b in np.unique(bin_)
    ]


def compute_metrics(probabilities: Float32 | Float64, truth: Int64) -> dict[str, float]:
    """Return accuracy, macro-F1, top-3 accuracy, calibration error and its chance level."""
    predicted = probabilities.argmax(axis=1)
    top3 = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    correct = (predicted == truth).astype(np.float64)
    confidence = probabilities.max(axis=1).astype(np.float64)
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "top3": float((top3 == truth[:, None]).any(axis=1).mean()),
        "calibration_error": expected_calibration_error(confidence, correct),
        "calibration_noise": calibration_noise(confidence),
    }


def per_category_metrics(
    probabilities: Float32 | Float64, truth: Int64, *, classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return precision, recall, F1 and number of books of each category that occurs in `truth`."""
    predicted = probabilities.argmax(axis=1)
    table = {}
    for index in np.unique(truth):
        books, n_predicted = int(np.sum(truth == index)), int(np.sum(predicted == index))
        hits = int(np.sum((predicted == index) & (truth == index)))
        table[classes[index]] = {
            "books": books,
            "precision": hits / max(1, n_predicted),
            "recall": hits / books,
            "f1": 2 * hits / (books + n_predicted),
        }
    return table


def confusion_cells(probabilities: Float32 | Float64, truth: Int64) -> list[list[int]]:
    """Return [correct class, predicted class, books] of each non-empty cell."""
    cells, books = np.unique(
        np.column_stack([truth, probabilities.argmax(axis=1)]), axis=0, return_counts=True
    )
    return [
        [int(actual), int(predicted), int(n)] for (actual, predicted), n in zip(cells, books, strict=True)
    ]


def selective_metrics(confidence: Float64, correct: Float64) -> dict[str, Any]:
    """Return coverage and precision under abstention.

    Returns
    -------
    dict
        ``at_precision``: for each of `PRECISIONS` the ``threshold`` (None if none reaches it), ``coverage``
        and ``precision``. ``curve``: [coverage, accuracy of the most confident], in steps of 5 %.
    """
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum(correct[order])
    steps = np.unique(np.ceil(np.linspace(0.05, 1, 20) * len(correct)).astype(int))
    by_precision = {}
    for precision in PRECISIONS:
        minimum = threshold(confidence, correct > 0, precision=precision)
        suggested = confidence >= minimum
        by_precision[f"{precision:.2f}"] = {
            "threshold": float(minimum) if suggested.any() else None,
            "coverage": float(suggested.mean()),
            "precision": float(correct[suggested].mean()) if suggested.any() else None,
        }
    curve = [[float(n / len(correct)), float(hits[n - 1] / n)] for n in steps]
    return {"at_precision": by_precision, "curve": curve}


def accuracy_by_level(
    probabilities: Float32 | Float64, truth: Int64, *, classes: Sequence[str], parents: Mapping[str, str]
) -> list[float]:
    """Return the accuracy at each level of the category tree, top first; one entry if there is no hierarchy.

    A wrong sibling is correct one level up. A category that ends above a level counts there as itself.
    """
    paths = [path_of(name, parents) for name in classes]
    predicted = probabilities.argmax(axis=1)
    return [
        float(np.mean([paths[g][:depth] == paths[t][:depth] for g, t in zip(predicted, truth, strict=True)]))
        for depth in range(1, max(map(len, paths)) + 1)
    ]
