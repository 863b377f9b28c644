"""Figures of a classifier on books it has not learned from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from classifier.pipeline.records import Float32, Float64, Int64


def expected_calibration_error(confidence: Float64, correct: Float64, *, bins: int = 15) -> float:
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
    which = np.minimum((confidence * bins).astype(int), bins - 1)  # (n,)
    gaps = [
        abs(confidence[which == b].mean() - correct[which == b].mean()) * np.mean(which == b)
        for b in np.unique(which)
    ]
    return float(sum(gaps))


def figures(probabilities: Float32 | Float64, truth: Int64) -> dict[str, float]:
    """Return accuracy, macro-F1, top-3 accuracy and calibration error.

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
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1_score(truth, guess, average="macro", zero_division=0)),
        "top3": float((top3 == truth[:, None]).any(axis=1).mean()),
        "calibration_error": expected_calibration_error(
            probabilities.max(axis=1).astype(np.float64), correct
        ),
    }


def per_category(
    probabilities: Float32 | Float64, truth: Int64, *, classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return precision, recall and the number of books of each category that occurs in `truth`."""
    guess = probabilities.argmax(axis=1)
    table = {}
    for index in np.unique(truth):
        hit = int(np.sum((guess == index) & (truth == index)))
        table[classes[index]] = {
            "books": int(np.sum(truth == index)),
            "precision": hit / max(1, int(np.sum(guess == index))),
            "recall": hit / int(np.sum(truth == index)),
        }
    return table
