"""Whether one classifier is better than another, or only luckier."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from classifier.pipeline.evaluation.metrics import figures
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


def by_group(
    one: Float64, other: Float64, *, truth: Int64, groups: Sequence[str]
) -> list[dict[str, int | str]]:
    """Return how many books each of two classifiers gets right, by the group that a book is in.

    Parameters
    ----------
    one, other : array (n_books, n_classes)
        Probabilities.
    truth : int array (n_books,)
        Index of the right class.
    groups : sequence of str
        Of each book.

    Returns
    -------
    list of dict
        ``name``, ``books``, ``candidate`` and ``active``: books that `one` and that `other` gets right; the
        largest group first.
    """
    one_right, other_right = (p.argmax(axis=1) == truth for p in (one, other))
    names, group, books = np.unique(np.asarray(groups, str), return_inverse=True, return_counts=True)
    order = np.argsort(-books, kind="stable")
    return [
        {
            "name": str(names[g]),
            "books": int(books[g]),
            "candidate": int(one_right[group == g].sum()),
            "active": int(other_right[group == g].sum()),
        }
        for g in order
    ]


def lost_categories(one: Float64, other: Float64, *, truth: Int64, classes: Sequence[str]) -> list[str]:
    """Return the categories that `other` gets right at least once and `one` never answers with.

    What `other` says by mistake alone is no loss; nor is a category that no book is in any more.
    """
    guess, before = one.argmax(axis=1), other.argmax(axis=1)
    known = np.unique(truth[before == truth])
    return [classes[c] for c in known if not (guess == c).any()]


def compared(
    one: Float64, other: Float64, *, truth: Int64, classes: Sequence[str], groups: dict[str, Sequence[str]]
) -> dict[str, Any]:
    """Compare a candidate with the active classifier on the same books.

    Parameters
    ----------
    one, other : array (n_books, n_classes)
        Probabilities by the candidate and by the active one.
    truth : int array (n_books,)
    classes : sequence of str
    groups : dict of str to sequence of str
        By what to group, the group of each book.

    Returns
    -------
    dict
        ``books``; ``candidate`` and ``active``: see `metrics.figures`; ``mcnemar``; ``lost``: see
        `lost_categories`; and for each of `groups` what `by_group` returns.
    """
    return {
        "books": len(truth),
        "candidate": figures(one, truth),
        "active": figures(other, truth),
        "mcnemar": mcnemar(one, other, truth=truth),
        "lost": lost_categories(one, other, truth=truth, classes=classes),
    } | {name: by_group(one, other, truth=truth, groups=of) for name, of in groups.items()}
