"""Preview the effect of category changes on a model's metrics.

For a merge, stored predictions for held-out books are renamed: confusing the two categories is then correct.
This is exact for the current model; the next version, which learns them as one, may do better.

For a split, the difficulty is estimated by how well a book's nearest texts predict its new category. The
model's codes are useless for that: it was trained to give all books of the category the same one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.pipeline.records import Bool, Float64, Int64

MIN_BOOKS = 20
"""Minimum for reporting a share: with fewer books the margin of error exceeds 20 points."""
NEIGHBOURS = 5
"""Neighbours that vote: few enough for children with ten examples, and one outlier is outvoted."""
MAX_BOOKS = 2000
"""Sample size for separability; its similarities take 32 MB."""
MAX_EXAMPLES = 1000
"""Beyond this an extrapolation from a few dozen books is meaningless."""
_DRAWS = 20  # standard error of two points with 50 books
_MIN_POINTS = 2  # to fit a line


def relabelled_metrics(
    cells: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    now: Mapping[str, str | None],
    then: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return metrics under the current and under the future category names.

    Parameters
    ----------
    cells
        See `metrics.confusion_cells`.
    now, then
        Renamed classes; None for retired ones, without books, wrong if predicted.

    Returns
    -------
    dict
        ``now`` and ``then``, each with ``books``, ``accuracy`` and ``macro_f1``; ``about``: for changed
        classes only, ``books`` and the accuracies ``now`` and ``then``. Metrics are None below `MIN_BOOKS`.
    """
    before, after = (_renamed(cells, classes, names) for names in (now, then))
    changed = {name for name in classes if now.get(name, name) != then.get(name, name)}
    changed |= {
        name for name in classes if then.get(name, name) in {then.get(other, other) for other in changed}
    }
    touched = [cell for cell in cells if classes[cell[0]] in changed]
    books = sum(n for _right, _guess, n in touched)
    accuracies = [
        _accuracy(_renamed(touched, classes, names)) if books >= MIN_BOOKS else None for names in (now, then)
    ]
    return {
        "now": _metrics(before),
        "then": _metrics(after),
        "about": {"books": books, "now": accuracies[0], "then": accuracies[1]},
    }


def split_metrics(
    cells: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    now: Mapping[str, str | None],
    category: str,
    share: float | None,
) -> dict[str, Any]:
    """Return the result of `relabelled_metrics` before and, as far as known, after a category is split.

    A correctly classified book of the category is assumed to stay correct for the `share` of correctly
    predicted children (`child_separability`). How errors spread over the children is unknown: no macro-F1.
    """
    metrics = _metrics(_renamed(cells, classes, now))
    predictions = [
        (predicted, n)
        for recognised_books, predicted, n in cells
        if now.get(classes[recognised_books], classes[recognised_books]) == category
    ]
    books = sum(n for _guess, n in predictions)
    recognised_books = sum(
        n for predicted, n in predictions if now.get(classes[predicted], classes[predicted]) == category
    )
    recognised = recognised_books / books if books >= MIN_BOOKS else None
    then: dict[str, Any] = {"books": metrics["books"], "accuracy": None, "macro_f1": None}
    if share is not None and metrics["accuracy"] is not None:
        then["accuracy"] = metrics["accuracy"] - recognised_books * (1 - share) / metrics["books"]
    separated = recognised * share if recognised is not None and share is not None else None
    return {"now": metrics, "then": then, "about": {"books": books, "now": recognised, "then": separated}}


def assign_children(texts: Sequence[str], labels: Sequence[int]) -> list[int]:
    """Return the child category of each text, -1 if unknown; `labels` likewise.

    Unlabelled texts get the child with more than half of the similarity of the `NEIGHBOURS` nearest (Cover
    and Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 13, 1967).
    Character n-grams of 2 to 4 also suit Chinese (Cavnar and Trenkle, N-Gram-Based Text Categorization, SDAIR
    1994).
    """
    children = np.array(labels, np.int64)
    examples, unlabelled = np.flatnonzero(children >= 0), np.flatnonzero(children < 0)
    if not len(examples) or not len(unlabelled):
        return list(labels)
    vectors = _vectors(texts)
    n_children = int(children.max()) + 1
    for start in range(0, len(unlabelled), MAX_BOOKS):
        batch = unlabelled[start : start + MAX_BOOKS]
        similarity = np.asarray((vectors[batch] @ vectors[examples].T).todense(), np.float64)
        children[batch] = _voted(similarity, children[examples], n_children)
    return [int(child) for child in children]


def child_separability(texts: Sequence[str], child: Sequence[int]) -> dict[str, Any]:
    """Return how well texts predict their child categories (leave-one-out).

    Returns
    -------
    dict
        ``books`` examined; ``share`` predicted correctly, None below `MIN_BOOKS` or with one child;
        ``curve``: [examples per child, accuracy on the other books], limited by the smallest child.
    """
    labels = np.array(child, np.int64)
    if len(labels) > MAX_BOOKS:
        sample = np.linspace(0, len(labels) - 1, MAX_BOOKS).astype(np.int64)
        labels, texts = labels[sample], [texts[i] for i in sample]
    sizes = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
    result: dict[str, Any] = {"books": len(labels), "share": None, "curve": []}
    if len(labels) < MIN_BOOKS or np.count_nonzero(sizes) < 2:
        return result
    vectors = _vectors(texts)
    similarity = np.asarray((vectors @ vectors.T).todense(), np.float64)
    np.fill_diagonal(similarity, -np.inf)
    result["share"] = float(np.mean(_voted(similarity, labels, len(sizes)) == labels))
    result["curve"] = _curve(similarity, labels, int(sizes[sizes > 0].min()))
    return result


def examples_needed(curve: Sequence[Sequence[float]], *, target: float) -> int | None:
    """Return how many labelled books per child reach an accuracy; None if unknown or above `MAX_EXAMPLES`.

    The error is assumed to fall as a power of the number of examples: Cortes, Jackel, Solla, Vapnik and
    Denker, Learning Curves: Asymptotic Values and Rate of Convergence, NIPS 1993.
    """
    sufficient = [int(log_examples) for log_examples, share in curve if share >= target]
    if sufficient:
        return sufficient[0]
    if len(curve) < _MIN_POINTS or target >= 1:
        return None
    log_examples = np.log([point[0] for point in curve])
    log_error = np.log([max(1 - point[1], 1e-6) for point in curve])
    slope, level = np.polyfit(log_examples, log_error, 1)
    if slope >= 0:
        return None
    estimate = np.exp(min((np.log(1 - target) - level) / slope, 50))
    return int(np.ceil(estimate)) if estimate <= MAX_EXAMPLES else None


def _renamed(
    cells: Sequence[Sequence[int]], classes: Sequence[str], names: Mapping[str, str | None]
) -> dict[tuple[str, str | None], int]:
    counts: dict[tuple[str, str | None], int] = defaultdict(int)
    for actual, predicted, books in cells:
        truth = names.get(classes[actual], classes[actual])
        if truth is not None:
            counts[truth, names.get(classes[predicted], classes[predicted])] += books
    return counts


def _accuracy(cells: Mapping[tuple[str, str | None], int]) -> float | None:
    books = sum(cells.values())
    return (
        sum(n for (actual, predicted), n in cells.items() if actual == predicted) / books if books else None
    )


def _metrics(cells: Mapping[tuple[str, str | None], int]) -> dict[str, Any]:
    books = sum(cells.values())
    if books < MIN_BOOKS:
        return {"books": books, "accuracy": None, "macro_f1": None}
    correct: dict[str, int] = defaultdict(int)
    predictions: dict[str, int] = defaultdict(int)
    actual: dict[str, int] = defaultdict(int)
    for (truth, predicted), n in cells.items():
        actual[truth] += n
        if predicted is not None:
            predictions[predicted] += n
        if truth == predicted:
            correct[truth] += n
    # Like scikit-learn's macro average: over all classes that occur or are predicted.
    names = actual.keys() | predictions.keys()
    f1 = [2 * correct[name] / (actual[name] + predictions[name]) for name in sorted(names)]
    return {"books": books, "accuracy": _accuracy(cells), "macro_f1": float(np.mean(f1))}


def _vectors(texts: Sequence[str]) -> Any:
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), max_features=50_000, sublinear_tf=True, dtype=np.float32
    )
    # The extra text avoids an empty vocabulary, which is rejected.
    return vectorizer.fit_transform([*texts, "text"])[:-1]


def _voted(similarity: Float64, children: Int64, n_children: int) -> Int64:
    """Return the child with a majority among the nearest, -1 if none; (n,) from (n, n_examples)."""
    k = min(NEIGHBOURS, similarity.shape[1])
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    weight = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 0)  # (n, k)
    votes = np.zeros((len(similarity), n_children))
    for j in range(k):
        np.add.at(votes, (np.arange(len(similarity)), children[nearest[:, j]]), weight[:, j])
    total = weight.sum(axis=1)
    best = votes.argmax(axis=1)
    has_majority = votes.max(axis=1) > total / 2
    return np.where(has_majority & (total > 0), best, -1)


def _curve(similarity: Float64, labels: Int64, smallest: int) -> list[list[float]]:
    """Return the mean accuracy with 1, 2, 4, ... examples per child."""
    rng = np.random.default_rng(0)
    names = np.unique(labels)
    curve = []
    n_examples = 1
    while 2 * n_examples <= smallest:
        shares = []
        for _draw in range(_DRAWS):
            examples_of_children = np.concatenate(
                [rng.permutation(np.flatnonzero(labels == name))[:n_examples] for name in names]
            )
            others: Bool = ~np.isin(np.arange(len(labels)), examples_of_children)
            predicted = _voted(
                similarity[np.ix_(others, examples_of_children)],
                labels[examples_of_children],
                int(names.max()) + 1,
            )
            shares.append(np.mean(predicted == labels[others]))
        curve.append([float(n_examples), float(np.mean(shares))])
        n_examples *= 2
    return curve
