"""Whether one classifier is better than another, or only luckier."""

import numpy as np
from scipy.stats import binomtest

from classifier.pipeline.records import Float64, Int64


def mcnemar(one: Float64, other: Float64, *, truth: Int64) -> dict[str, float]:
    """Compare two classifiers on the same books by those that only one of them gets right.

    Parameters
    ----------
    one, other : array (n_books, n_classes)
        Probabilities.
    truth : int array (n_books,)
        Index of the right class.

    Returns
    -------
    dict
        ``won`` and ``lost``: books that only `one`, and only `other`, gets right; ``p_value``: how likely
        a difference this large is between two that are equally good (exact, two-sided).

    References
    ----------
    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages,
    Psychometrika 12, 1947.
    """
    one_right, other_right = (p.argmax(axis=1) == truth for p in (one, other))  # (n_books,)
    won, lost = int(np.sum(one_right & ~other_right)), int(np.sum(other_right & ~one_right))
    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return {"won": won, "lost": lost, "p_value": p_value}
