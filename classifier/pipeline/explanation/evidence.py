"""Explain suggestions by the contributions of modalities, terms, similar books and co-borrowed titles.

Modality contributions are exact Shapley values over all subsets of the modalities that the book could have
been classified by; with the score of a book without modalities they sum to the final score.

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

from classifier.pipeline.evidence import (
    CoBorrowedBook,
    CoBorrowing,
    Evidence,
    ModalityPrediction,
    NearestBook,
    TermContribution,
)
from classifier.pipeline.explanation.attribution import term_attributions
from classifier.pipeline.explanation.training_index import TrainingIndex
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.records import Float64, Int64
from classifier.pipeline.text.terms import WordCredits

MAX_TERMS_FOR, MAX_TERMS_AGAINST = 8, 4
MAX_NEAREST_BOOKS = 3
"""Per modality that shows nearest books (covers, recordings)."""
MAX_CO_BORROWED = 5
_DIGITS = 4

_TermLists = tuple[list[TermContribution], list[TermContribution]]
"""Terms for a category and terms against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityContributions:
    """Contributions and solo predictions of the modalities.

    Attributes
    ----------
    baseline : (n_books, n_explained)
        Scores with all modalities hidden.
    contributions : (n_books, n_modalities, n_explained)
        0 if absent; sum to the score with the baseline.
    predicted : (n_books, n_modalities)
        Category that each modality predicts alone; -1 if absent.
    confidence : (n_books, n_modalities)
        Probability of that category.
    """

    baseline: Float64
    contributions: Float64
    predicted: Int64
    confidence: Float64


def modality_contributions(
    classifier: FusionClassifier, books: Encoded, scores: Float64, categories: Int64
) -> ModalityContributions:
    """Return what each modality contributed to the scores of some categories."""
    n, m = books.present.shape
    bit = 1 << np.arange(m)
    has = books.present @ bit  # (n,): the book's modalities as a bit mask
    predicted, confidence = np.full((n, m), -1), np.zeros((n, m))
    value = np.empty((2**m, n, categories.shape[1]))
    for mask in range(2**m):
        part = (has & mask) == mask
        # An absent modality cannot be shown: the value equals that of the smaller subset, computed earlier.
        less = np.flatnonzero(~part)
        value[mask, less] = value[has[less] & mask, less]
        if not part.any():
            continue
        whole = has == mask
        subset_scores = np.empty((n, scores.shape[1]))
        subset_scores[whole] = scores[whole]
        if len(rows := np.flatnonzero(part & ~whole)):
            subset_scores[rows] = classifier.scores(books.take(rows), shown=((bit & mask) > 0)[None, :])
        value[mask, part] = np.take_along_axis(subset_scores[part], categories[part], axis=1)
        if mask.bit_count() == 1:
            position = mask.bit_length() - 1
            predicted[part, position] = subset_scores[part].argmax(axis=1)
            probabilities = classifier.temperature_.probabilities(subset_scores[part])
            confidence[part, position] = probabilities.max(axis=1)
    contributions = np.zeros((n, m, categories.shape[1]))
    for position in range(m):
        own = 1 << position
        for mask in range(2**m):
            if not mask & own:
                others = mask.bit_count()
                weight = factorial(others) * factorial(m - others - 1) / factorial(m)
                contributions[:, position] += weight * (value[mask | own] - value[mask])
    return ModalityContributions(
        baseline=value[0], contributions=contributions, predicted=predicted, confidence=confidence
    )


def explain(
    classifier: FusionClassifier,
    blocks: Mapping[str, Block],
    books: Encoded,
    scores: Float64,
    categories: Int64,
    *,
    words: Mapping[str, WordCredits],
    ids: Sequence[str],
    classes: Sequence[str],
    training_index: TrainingIndex,
) -> list[list[Evidence]]:
    """Return the evidence for each requested category of each book.

    Parameters
    ----------
    books
        `blocks` encoded by `classifier.encode`.
    training_index
        Of the books that `classifier` was fitted on.
    """
    modalities = modality_contributions(classifier, books, scores, categories)
    score = _rounded(np.take_along_axis(scores, categories, axis=1))
    baseline, contributions = _rounded(modalities.baseline), _rounded(modalities.contributions)
    present = books.present.tolist()
    predictions = _modality_predictions(classifier, modalities, classes)
    terms = _terms(classifier, blocks, books, categories, words)
    nearest = nearest_books(classifier, books, ids, classes, training_index)
    co_borrowed = _co_borrowed(classifier, blocks, categories, training_index)
    used = [set(names) for names in classifier.svms_] + [set[str]()]  # the last one for -1
    svm = classifier.svm_index(books.present).tolist()
    rows = []
    for book in range(len(categories)):
        names = [(name, p) for p, name in enumerate(classifier.modalities_) if present[book][p]]
        disagree = len({prediction.category for prediction in predictions[book].values()}) > 1
        excluded = tuple(name for name, _ in names if name not in used[svm[book]])
        rows.append(
            [
                Evidence(
                    score=score[book][rank],
                    baseline=baseline[book][rank],
                    contributions={name: contributions[book][p][rank] for name, p in names},
                    terms_for=terms[rank][book][0],
                    terms_against=terms[rank][book][1],
                    modality_predictions=predictions[book],
                    modalities_disagree=disagree,
                    excluded_modalities=excluded,
                    nearest_books=nearest[book],
                    co_borrowed=co_borrowed[rank][book],
                )
                for rank in range(categories.shape[1])
            ]
        )
    return rows


def _modality_predictions(
    classifier: FusionClassifier, modalities: ModalityContributions, classes: Sequence[str]
) -> list[dict[str, ModalityPrediction]]:
    confidences = _rounded(modalities.confidence)
    return [
        {
            name: ModalityPrediction(classes[category], probability)
            for name, category, probability in zip(classifier.modalities_, predicted, confidence, strict=True)
            if category >= 0
        }
        for predicted, confidence in zip(modalities.predicted.tolist(), confidences, strict=True)
    ]


def _terms(
    classifier: FusionClassifier,
    blocks: Mapping[str, Block],
    books: Encoded,
    categories: Int64,
    words: Mapping[str, WordCredits],
) -> list[list[_TermLists]]:
    """Return the terms for and against each explained category, by category, then by book."""
    n, explained = categories.shape
    result: list[list[_TermLists]] = [[([], []) for _ in range(n)] for _ in range(explained)]
    for name, credits_ in words.items():
        values = blocks[name].values
        gains = credits_.credit @ term_attributions(classifier, books, values, categories, name=name)
        for rank in range(explained):
            gain = np.round(gains[:, rank].astype(np.float64), _DIGITS)
            for side, sign, limit in ((0, 1, MAX_TERMS_FOR), (1, -1, MAX_TERMS_AGAINST)):
                candidates = np.flatnonzero(sign * gain > 0)
                top = candidates[_largest(credits_.book[candidates], sign * gain[candidates], limit)]
                for row, term, value in _columns(credits_.book[top], credits_.term[top], gain[top]):
                    field, text = credits_.names[term]
                    result[rank][row][side].append(TermContribution(field, text, value))
    return result


def nearest_books(
    classifier: FusionClassifier,
    books: Encoded,
    ids: Sequence[str],
    classes: Sequence[str],
    training_index: TrainingIndex,
) -> list[dict[str, list[NearestBook]]]:
    """Return the nearest categorised books of each book, by modality."""
    result: list[dict[str, list[NearestBook]]] = [{} for _ in ids]
    for name in training_index.rows:
        codes = books.codes[0][name]
        present = np.flatnonzero(books.present[:, classifier.modalities_.index(name)])
        if not len(present):
            continue
        near, cosine = training_index.nearest(
            name, codes[present], [ids[row] for row in present.tolist()], MAX_NEAREST_BOOKS
        )
        similarity = np.round(cosine.astype(np.float64), _DIGITS)
        for row, *columns in _columns(present, near, training_index.categories[near], similarity):
            result[row][name] = [
                NearestBook(training_index.ids[neighbour], classes[category], value)
                for neighbour, category, value in zip(*columns, strict=True)
                if value > -np.inf
            ]
    return result


def _co_borrowed(
    classifier: FusionClassifier,
    blocks: Mapping[str, Block],
    categories: Int64,
    training_index: TrainingIndex,
) -> list[list[CoBorrowing]]:
    """Return the linked books predicted to be in each explained category, by category, then by book."""
    n, explained = categories.shape
    shares: list[list[float]] = [[0.0] * n for _ in range(explained)]
    books: list[list[list[CoBorrowedBook]]] = [[[] for _ in range(n)] for _ in range(explained)]
    for name in classifier.modalities_:
        links = blocks[name].links
        if links is None or not links.nnz:
            continue
        columns, position = np.unique(links.indices, return_inverse=True)
        predicted = classifier.beliefs_[columns].argmax(axis=1)[position]  # (n_links,)
        rows = np.repeat(np.arange(n), np.diff(links.indptr))
        weight = links.data.astype(np.float64)
        total = np.maximum(np.bincount(rows, weight, n), 1e-9)
        for rank in range(explained):
            agreeing = np.flatnonzero(predicted == categories[rows, rank])
            shares[rank] = _rounded(np.bincount(rows[agreeing], weight[agreeing], n) / total)
            top = agreeing[_largest(rows[agreeing], weight[agreeing], MAX_CO_BORROWED)]
            for row, link, value in _columns(rows[top], links.indices[top], np.round(weight[top], _DIGITS)):
                books[rank][row].append(CoBorrowedBook(training_index.ids[link], value))
    return [
        [CoBorrowing(share=share, books=titles) for share, titles in zip(*columns, strict=True)]
        for columns in zip(shares, books, strict=True)
    ]


def _largest(rows: Int64, values: Float64, limit: int) -> Int64:
    """Return the positions of the largest `values` (above 0) of each of the sorted `rows`, largest first."""
    if not len(rows):
        return np.zeros(0, np.int64)
    # One sort key is three times as fast as two.
    order = np.argsort(rows - values / (2 * values.max()), kind="stable")
    first = np.searchsorted(rows, rows)  # sorting moves entries within their row only
    return order[np.arange(len(rows)) - first < limit]


def _columns(*arrays: Any) -> Any:
    return zip(*(array.tolist() for array in arrays), strict=True)


def _rounded(values: Float64) -> Any:
    """Return nested lists of rounded numbers, a hundred times as fast as `round`."""
    return np.round(values, _DIGITS).tolist()
