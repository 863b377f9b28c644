"""What changes of the classification scheme do to a model's figures, before anything is changed.

For categories that become one, the answers that are known of held-out books are read again under the new
names: a book of the one that was taken for the other is right then. That is exact for the model as it is; the
next version, which learns the categories as one, may do better.

For a category that is split nobody has answers yet. What can be said is how well its parts can be told apart
by their texts: a book by the books most like it. The codes that a model keeps are of no use for that: it was
taught to give all books of the category the same one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.pipeline.records import Bool, Float64, Int64

ENOUGH = 20
"""Books that a share is told of: of fewer, it would be uncertain by more than 20 points either way."""
NEIGHBOURS = 5
"""Books that judge another: few enough for a child with ten examples, and one odd one is outvoted."""
MOST = 2000
"""Books that children are told apart on, drawn evenly: their likenesses are 32 MB."""
MOST_EXAMPLES = 1000
"""Beyond this an estimate from a few dozen books says nothing."""
_DRAWS = 20  # the mean share right of which is known to two points with 50 books
_SHORTEST = 2  # of a curve: from two points a line can be drawn


def relabelled(
    cells: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    now: Mapping[str, str | None],
    then: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return the figures of answers as they are named now and as they would be named then.

    Parameters
    ----------
    cells : sequence of [right class, class guessed, books]
        See `metrics.confusion`.
    classes : sequence of str
    now, then : mapping of str to str or None
        Classes that are called otherwise; None where no category is in their place: books of these are left
        out, as nobody knows where they belong, and answers with these are none.

    Returns
    -------
    dict
        ``now`` and ``then``, each with ``books``, ``accuracy`` and ``macro_f1`` (None of fewer than `ENOUGH`
        books); ``about``: the same books before and after, of those classes that `then` names otherwise than
        `now` and of what they become: ``books``, ``now``, ``then``, shares right (None of too few).
    """
    before, after = (_renamed(cells, classes, names) for names in (now, then))
    moved = {name for name in classes if now.get(name, name) != then.get(name, name)}
    moved |= {name for name in classes if then.get(name, name) in {then.get(other, other) for other in moved}}
    touched = [cell for cell in cells if classes[cell[0]] in moved]
    books = sum(n for _right, _guess, n in touched)
    shares = [
        _accuracy(_renamed(touched, classes, names)) if books >= ENOUGH else None for names in (now, then)
    ]
    return {
        "now": _figures(before),
        "then": _figures(after),
        "about": {"books": books, "now": shares[0], "then": shares[1]},
    }


def narrowed(
    cells: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    now: Mapping[str, str | None],
    category: str,
    share: float | None,
) -> dict[str, Any]:
    """Return the figures of answers before and, as far as can be said, after a category is split.

    A book of it that was recognised is taken to be right afterwards if its part is told as well. How the
    parts share what is wrong is not known, and so no macro-F1.

    Parameters
    ----------
    cells, classes, now
        See `relabelled`.
    category : str
    share : float or None
        Of books whose part is told; see `told_apart`.

    Returns
    -------
    dict
        As `relabelled`.
    """
    figures = _figures(_renamed(cells, classes, now))
    own = [(guess, n) for right, guess, n in cells if now.get(classes[right], classes[right]) == category]
    books = sum(n for _guess, n in own)
    right = sum(n for guess, n in own if now.get(classes[guess], classes[guess]) == category)
    recognised = right / books if books >= ENOUGH else None
    then: dict[str, Any] = {"books": figures["books"], "accuracy": None, "macro_f1": None}
    if share is not None and figures["accuracy"] is not None:
        then["accuracy"] = figures["accuracy"] - right * (1 - share) / figures["books"]
    told = recognised * share if recognised is not None and share is not None else None
    return {"now": figures, "then": then, "about": {"books": books, "now": recognised, "then": told}}


def nearest_children(texts: Sequence[str], told: Sequence[int]) -> list[int]:
    """Return the child of each text, by the children of the most alike texts that are told.

    Parameters
    ----------
    texts : sequence of str
    told : sequence of int
        The child of each, from 0; -1 where it is to be found.

    Returns
    -------
    list of int
        As told; else the child of more than half of the `NEIGHBOURS` nearest, each counted by its likeness;
        -1 where there is none.

    References
    ----------
    Cover and Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 13, 1967;
    the terms are pieces of 2 to 4 letters, which need no word boundaries and so read Chinese too: Cavnar and
    Trenkle, N-Gram-Based Text Categorization, SDAIR 1994.
    """
    known = np.array(told, np.int64)
    examples, asked = np.flatnonzero(known >= 0), np.flatnonzero(known < 0)
    if not len(examples) or not len(asked):
        return list(told)
    vectors = _vectors(texts)
    children = int(known.max()) + 1
    for start in range(0, len(asked), MOST):
        some = asked[start : start + MOST]
        like = np.asarray((vectors[some] @ vectors[examples].T).todense(), np.float64)
        known[some] = _voted(like, known[examples], children)
    return [int(child) for child in known]


def told_apart(texts: Sequence[str], child: Sequence[int]) -> dict[str, Any]:
    """Return how well children can be told apart: each book by the others (leave-one-out).

    Parameters
    ----------
    texts : sequence of str
    child : sequence of int
        Of each text, from 0.

    Returns
    -------
    dict
        ``books`` looked at; ``share`` of them whose nearest name their child, None of fewer than `ENOUGH` or
        of one child; ``curve``: [examples a child, share right of the other books], as far as the smallest
        child goes.
    """
    labels = np.array(child, np.int64)
    if len(labels) > MOST:
        picked = np.linspace(0, len(labels) - 1, MOST).astype(np.int64)
        labels, texts = labels[picked], [texts[i] for i in picked]
    sizes = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
    result: dict[str, Any] = {"books": len(labels), "share": None, "curve": []}
    if len(labels) < ENOUGH or np.count_nonzero(sizes) < 2:
        return result
    vectors = _vectors(texts)
    like = np.asarray((vectors @ vectors.T).todense(), np.float64)
    np.fill_diagonal(like, -np.inf)
    result["share"] = float(np.mean(_voted(like, labels, len(sizes)) == labels))
    result["curve"] = _curve(like, labels, int(sizes[sizes > 0].min()))
    return result


def examples_needed(curve: Sequence[Sequence[float]], *, target: float) -> int | None:
    """Return how many books a child have to be filed before the children are told apart so well.

    Between the points of the curve and beyond them the share of wrong answers is taken to fall as a power of
    the number of examples.

    Parameters
    ----------
    curve : sequence of [examples, share right]
    target : float
        Share right.

    Returns
    -------
    int or None
        None where the curve is too short, does not fall, or falls so slowly that it would take more than
        `MOST_EXAMPLES`.

    References
    ----------
    Cortes, Jackel, Solla, Vapnik and Denker, Learning Curves: Asymptotic Values and Rate of Convergence,
    NIPS 1993.
    """
    reached = [int(examples) for examples, share in curve if share >= target]
    if reached:
        return reached[0]
    if len(curve) < _SHORTEST or target >= 1:
        return None
    examples = np.log([point[0] for point in curve])
    wrong = np.log([max(1 - point[1], 1e-6) for point in curve])
    slope, level = np.polyfit(examples, wrong, 1)
    if slope >= 0:
        return None
    needed = np.exp(min((np.log(1 - target) - level) / slope, 50))
    return int(np.ceil(needed)) if needed <= MOST_EXAMPLES else None


def _renamed(
    cells: Sequence[Sequence[int]], classes: Sequence[str], names: Mapping[str, str | None]
) -> dict[tuple[str, str | None], int]:
    found: dict[tuple[str, str | None], int] = defaultdict(int)
    for right, guess, books in cells:
        truth = names.get(classes[right], classes[right])
        if truth is not None:
            found[truth, names.get(classes[guess], classes[guess])] += books
    return found


def _accuracy(cells: Mapping[tuple[str, str | None], int]) -> float | None:
    books = sum(cells.values())
    return sum(n for (right, guess), n in cells.items() if right == guess) / books if books else None


def _figures(cells: Mapping[tuple[str, str | None], int]) -> dict[str, Any]:
    books = sum(cells.values())
    if books < ENOUGH:
        return {"books": books, "accuracy": None, "macro_f1": None}
    right: dict[str, int] = defaultdict(int)
    guessed: dict[str, int] = defaultdict(int)
    there: dict[str, int] = defaultdict(int)
    for (truth, guess), n in cells.items():
        there[truth] += n
        if guess is not None:
            guessed[guess] += n
        if truth == guess:
            right[truth] += n
    # As scikit-learn's macro average: over what is right or was guessed anywhere.
    names = there.keys() | guessed.keys()
    f1 = [2 * right[name] / (there[name] + guessed[name]) for name in sorted(names)]
    return {"books": books, "accuracy": _accuracy(cells), "macro_f1": float(np.mean(f1))}


def _vectors(texts: Sequence[str]) -> Any:
    """Return rows of unit length, (n_texts, n_terms), sparse."""
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), max_features=50_000, sublinear_tf=True, dtype=np.float32
    )
    # One text more: where none has a word, the vocabulary would be empty, which is refused.
    return vectorizer.fit_transform([*texts, "text"])[:-1]


def _voted(like: Float64, children: Int64, n_children: int) -> Int64:
    """Return the child that more than half of the nearest name, -1 where none; (n,) from (n, n_examples)."""
    k = min(NEIGHBOURS, like.shape[1])
    nearest = np.argsort(-like, axis=1, kind="stable")[:, :k]
    weight = np.maximum(np.take_along_axis(like, nearest, axis=1), 0)  # (n, k)
    votes = np.zeros((len(like), n_children))
    for j in range(k):
        np.add.at(votes, (np.arange(len(like)), children[nearest[:, j]]), weight[:, j])
    total = weight.sum(axis=1)
    best = votes.argmax(axis=1)
    sure = votes.max(axis=1) > total / 2
    return np.where(sure & (total > 0), best, -1)


def _curve(like: Float64, labels: Int64, smallest: int) -> list[list[float]]:
    """Return the mean share of books told rightly by 1, 2, 4 and so on examples a child."""
    rng = np.random.default_rng(0)
    names = np.unique(labels)
    curve = []
    examples = 1
    while 2 * examples <= smallest:
        shares = []
        for _draw in range(_DRAWS):
            picked = np.concatenate(
                [rng.permutation(np.flatnonzero(labels == name))[:examples] for name in names]
            )
            rest: Bool = ~np.isin(np.arange(len(labels)), picked)
            found = _voted(like[np.ix_(rest, picked)], labels[picked], int(names.max()) + 1)
            shares.append(np.mean(found == labels[rest]))
        curve.append([float(examples), float(np.mean(shares))])
        examples *= 2
    return curve
