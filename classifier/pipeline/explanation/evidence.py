"""Why a category is suggested: what each modality, word, likeness and co-borrowed title brought to it.

The shares of the modalities are Shapley values of the score over the sets of modalities that the book
could have been judged by; they are exact, and with the score of a book of which nothing is shown they sum
to the score as it decided. The words are `classifier.pipeline.explanation.attribution`'s gains of the terms,
credited to the words that the terms were counted in.

References
----------
Shapley, A Value for n-Person Games, 1953. Lundberg & Lee, A Unified Approach to Interpreting Model
Predictions, NeurIPS 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from classifier.pipeline.explanation.attribution import term_gains
from classifier.pipeline.explanation.training_index import Gallery
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.records import Float64, Int64
from classifier.pipeline.text.terms import Words

FOR, AGAINST = 8, 4
"""Words named of those that speak for a category, and of those that speak against it."""
NEAREST = 3
"""Categorised books named that look or sound alike."""
BORROWED = 5
"""Co-borrowed titles named that agree."""
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How modalities came to decide.

    Attributes
    ----------
    baseline : float array (n_books, n_asked)
        Scores of the categories asked for where nothing of the book is shown.
    shares : float array (n_books, n_modalities, n_asked)
        What each modality added; 0 of an absent one. Summed up with the baseline they are the scores.
    alone : int array (n_books, n_modalities)
        The category each modality names by itself; -1 of an absent one.
    sureness : float array (n_books, n_modalities)
        Its probability.
    """

    baseline: Float64
    shares: Float64
    alone: Int64
    sureness: Float64


def modality_shares(
    classifier: FusionClassifier, books: Encoded, scores: Float64, categories: Int64
) -> Shares:
    """Return what each modality added to the scores of some categories.

    Parameters
    ----------
    classifier : FusionClassifier
    books : Encoded
    scores : float array (n_books, n_classes)
        As `classifier.scores` gives them of the books.
    categories : int array (n_books, n_asked)
    """
    n, m = books.present.shape
    bit = 1 << np.arange(m)
    has = books.present @ bit  # (n,): the book's modalities as a number
    alone, sureness = np.full((n, m), -1), np.zeros((n, m))
    value = np.empty((2**m, n, categories.shape[1]))
    for mask in range(2**m):
        part = (has & mask) == mask
        # What a book has not cannot be shown of it: the same as without, which came before.
        less = np.flatnonzero(~part)
        value[mask, less] = value[has[less] & mask, less]
        if not part.any():
            continue
        whole = has == mask
        judged = np.empty((n, scores.shape[1]))
        judged[whole] = scores[whole]
        if len(rows := np.flatnonzero(part & ~whole)):
            judged[rows] = classifier.scores(books.take(rows), shown=((bit & mask) > 0)[None, :])
        value[mask, part] = np.take_along_axis(judged[part], categories[part], axis=1)
        if mask.bit_count() == 1:
            position = mask.bit_length() - 1
            alone[part, position] = judged[part].argmax(axis=1)
            sureness[part, position] = classifier.temperature_.probabilities(judged[part]).max(axis=1)
    shares = np.zeros((n, m, categories.shape[1]))
    for position in range(m):
        own = 1 << position
        for mask in range(2**m):
            if not mask & own:
                others = mask.bit_count()
                weight = factorial(others) * factorial(m - others - 1) / factorial(m)
                shares[:, position] += weight * (value[mask | own] - value[mask])
    return Shares(baseline=value[0], shares=shares, alone=alone, sureness=sureness)


def evidence(
    classifier: FusionClassifier,
    blocks: Mapping[str, Block],
    books: Encoded,
    scores: Float64,
    categories: Int64,
    *,
    words: Mapping[str, Words],
    ids: Sequence[str],
    classes: Sequence[str],
    gallery: Gallery,
) -> list[list[dict[str, Any]]]:
    """Return the evidence of each category asked for of each book, as JSON values of four digits.

    Parameters
    ----------
    classifier : FusionClassifier
    blocks : mapping of str to Block
    books : Encoded
        As `classifier.encode` gives them of the blocks.
    scores : float array (n_books, n_classes)
        As `classifier.scores` gives them of the books.
    categories : int array (n_books, n_asked)
    words : mapping of str to Words
        By modality, of those that have any.
    ids : sequence of str
        Of the books.
    classes : sequence of str
    gallery : Gallery
        The books the classifier was fitted on.

    Returns
    -------
    list of list of dict
        ``decision``, the score; ``baseline``, that of a book nothing is known of; ``shares``, what each
        modality of the book added. ``terms``: ``for`` and ``against``, (field, word, gain), the largest
        first. ``says``: (category, probability) that each modality names by itself; ``disagree``: whether
        these categories differ. ``left_out``: the modalities that the book has and is judged without
        (`FusionClassifier.uses_`). ``nearest``: by modality, (book, category, cosine). ``borrowed_with``:
        ``books``, (book, weight) of the co-borrowed titles taken to be of this category, and ``agree``,
        the share of all co-borrowing that they stand for. Tuples, unlike lists, the garbage collector
        does not count: that halves the time.
    """
    found = modality_shares(classifier, books, scores, categories)
    decided = _rounded(np.take_along_axis(scores, categories, axis=1))
    baseline, shares = _rounded(found.baseline), _rounded(found.shares)
    there = books.present.tolist()
    says = _says(classifier, books, found, classes)
    named = _words(classifier, blocks, books, categories, words)
    nearest = nearest_books(classifier, books, ids, classes, gallery)
    linked = _linked(classifier, blocks, categories, gallery)
    judged_by = [set(names) for names in classifier.machines_] + [set[str]()]  # the last one for -1
    owner = classifier.machine_of(books.present).tolist()
    rows = []
    for book in range(len(categories)):
        present = [(name, p) for p, name in enumerate(classifier.modalities_) if there[book][p]]
        disagree = len({category for category, _ in says[book].values()}) > 1
        rows.append(
            [
                {
                    "decision": decided[book][rank],
                    "baseline": baseline[book][rank],
                    "shares": {name: shares[book][p][rank] for name, p in present},
                    "terms": named[rank][book],
                    "says": says[book],
                    "disagree": disagree,
                    "left_out": [name for name, _ in present if name not in judged_by[owner[book]]],
                    "nearest": nearest[book],
                    "borrowed_with": linked[rank][book],
                }
                for rank in range(categories.shape[1])
            ]
        )
    return rows


def _says(
    classifier: FusionClassifier, books: Encoded, found: Shares, classes: Sequence[str]
) -> list[dict[str, tuple[str, float]]]:
    return [
        {
            name: (classes[category], sure)
            for name, category, sure in zip(classifier.modalities_, alone, sureness, strict=True)
            if category >= 0
        }
        for alone, sureness in zip(found.alone.tolist(), _rounded(found.sureness), strict=True)
    ]


def _words(
    classifier: FusionClassifier,
    blocks: Mapping[str, Block],
    books: Encoded,
    categories: Int64,
    words: Mapping[str, Words],
) -> list[list[dict[str, list[tuple[Any, ...]]]]]:
    """Return for each category asked for, for each book, the words for and against it."""
    n, asked = categories.shape
    result: list[list[dict[str, list[tuple[Any, ...]]]]] = [
        [{"for": [], "against": []} for _ in range(n)] for _ in range(asked)
    ]
    for name, of in words.items():
        gains = of.credit @ term_gains(classifier, books, blocks[name].values, categories, name=name)
        for rank in range(asked):
            gain = np.round(gains[:, rank].astype(np.float64), _DIGITS)
            for key, sign, most in (("for", 1, FOR), ("against", -1, AGAINST)):
                heard = np.flatnonzero(sign * gain > 0)
                top = heard[_largest(of.book[heard], sign * gain[heard], most)]
                for row, term, value in _columns(of.book[top], of.term[top], gain[top]):
                    result[rank][row][key].append((*of.names[term], value))
    return result


def nearest_books(
    classifier: FusionClassifier,
    books: Encoded,
    ids: Sequence[str],
    classes: Sequence[str],
    gallery: Gallery,
) -> list[dict[str, list[tuple[Any, ...]]]]:
    """Return for each book, by modality, the nearest categorised books: (book, category, cosine)."""
    result: list[dict[str, list[tuple[Any, ...]]]] = [{} for _ in ids]
    for name in gallery.rows:
        codes = books.codes[0][name]
        there = np.flatnonzero(books.present[:, classifier.modalities_.index(name)])
        if not len(there):
            continue
        near, cosine = gallery.nearest(name, codes[there], [ids[row] for row in there.tolist()], NEAREST)
        likeness = np.round(cosine.astype(np.float64), _DIGITS)
        for row, *columns in _columns(there, near, gallery.categories[near], likeness):
            result[row][name] = [
                (gallery.ids[known], classes[of], value)
                for known, of, value in zip(*columns, strict=True)
                if value > -np.inf
            ]
    return result


def _linked(
    classifier: FusionClassifier, blocks: Mapping[str, Block], categories: Int64, gallery: Gallery
) -> list[list[dict[str, Any]]]:
    """Return for each category asked for, for each book, the linked books taken to be of it."""
    n, asked = categories.shape
    result: list[list[dict[str, Any]]] = [
        [{"agree": 0.0, "books": []} for _ in range(n)] for _ in range(asked)
    ]
    for name in classifier.modalities_:
        links = blocks[name].links
        if links is None or not links.nnz:
            continue
        columns, position = np.unique(links.indices, return_inverse=True)
        taken_for = classifier.beliefs_[columns].argmax(axis=1)[position]  # (n_links,)
        rows = np.repeat(np.arange(n), np.diff(links.indptr))
        weight = links.data.astype(np.float64)
        total = np.maximum(np.bincount(rows, weight, n), 1e-9)
        for rank in range(asked):
            agreeing = np.flatnonzero(taken_for == categories[rows, rank])
            share = _rounded(np.bincount(rows[agreeing], weight[agreeing], n) / total)
            for book, agree in zip(result[rank], share, strict=True):
                book["agree"] = agree
            top = agreeing[_largest(rows[agreeing], weight[agreeing], BORROWED)]
            for row, known, value in _columns(rows[top], links.indices[top], np.round(weight[top], _DIGITS)):
                result[rank][row]["books"].append((gallery.ids[known], value))
    return result


def _largest(rows: Int64, values: Float64, most: int) -> Int64:
    """Return the places of the `most` largest values of each row, row by row, the largest first.

    Parameters
    ----------
    rows : int array (n,)
        In order.
    values : float array (n,)
        Above 0.
    most : int
    """
    if not len(rows):
        return np.zeros(0, np.int64)
    # One key is sorted three times as fast as two.
    order = np.argsort(rows - values / (2 * values.max()), kind="stable")
    first = np.searchsorted(rows, rows)  # rows stand where they stood: sorting was within each
    return order[np.arange(len(rows)) - first < most]


def _columns(*arrays: Any) -> Any:
    return zip(*(array.tolist() for array in arrays), strict=True)


def _rounded(values: Float64) -> Any:
    """Return nested lists of numbers, a hundred times as fast as `round`."""
    return np.round(values, _DIGITS).tolist()
