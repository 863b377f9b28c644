"""Statistical comparison of two classifiers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from classifier.pipeline.evaluation.metrics import compute_metrics
from classifier.pipeline.records import Float64, Int64


def mcnemar(candidate: Float64, active: Float64, *, truth: Int64) -> dict[str, float]:
    """Compare two classifiers on the books that only one of them (``won``, ``lost``) classifies correctly.

    ``p_value`` is exact and two-sided.

    References
    ----------
    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages,
    Psychometrika 12, 1947.
    """
    candidate_correct, active_correct = (p.argmax(axis=1) == truth for p in (candidate, active))  # (n_books,)
    won, lost = (
        int(np.sum(candidate_correct & ~active_correct)),
        int(np.sum(active_correct & ~candidate_correct)),
    )
    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return {"won": won, "lost": lost, "p_value": p_value}


def correct_by_group(
    candidate: Float64, active: Float64, *, truth: Int64, groups: Sequence[str]
) -> list[dict[str, int | str]]:
    """Return ``name``, ``books``, and correct books of ``candidate`` and ``active``, largest group first."""
    candidate_correct, active_correct = (p.argmax(axis=1) == truth for p in (candidate, active))
    names, group, books = np.unique(np.asarray(groups, str), return_inverse=True, return_counts=True)
    order = np.argsort(-books, kind="stable")
    return [
        {
            "name": str(names[g]),
            "books": int(books[g]),
            "candidate": int(candidate_correct[group == g].sum()),
            "active": int(active_correct[group == g].sum()),
        }
        for g in order
    ]


def lost_categories(
    candidate: Float64, active: Float64, *, truth: Int64, classes: Sequence[str]
) -> list[str]:
    """Return the categories that `active` predicts correctly at least once and `candidate` never predicts."""
    predicted, predicted_before = candidate.argmax(axis=1), active.argmax(axis=1)
    recognised = np.unique(truth[predicted_before == truth])
    return [classes[c] for c in recognised if not (predicted == c).any()]


def compare_classifiers(
    candidate: Float64,
    active: Float64,
    *,
    truth: Int64,
    classes: Sequence[str],
    groups: dict[str, Sequence[str]],
) -> dict[str, Any]:
    """Compare a candidate with the active classifier on the same books, by named groupings of the books.

    Returns
    -------
    dict
        ``books``; ``candidate`` and ``active`` (`compute_metrics`); ``mcnemar``; ``lost``
        (`lost_categories`); and `correct_by_group` for each of `groups`.
    """
    return {
        "books": len(truth),
        "candidate": compute_metrics(candidate, truth),
        "active": compute_metrics(active, truth),
        "mcnemar": mcnemar(candidate, active, truth=truth),
        "lost": lost_categories(candidate, active, truth=truth, classes=classes),
    } | {
        name: correct_by_group(candidate, active, truth=truth, groups=group) for name, group in groups.items()
    }
