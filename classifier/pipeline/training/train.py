"""Train a model and evaluate it on held-out books."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import cross_calibrated
from classifier.pipeline.evaluation.metrics import (
    accuracy_by_level,
    compute_metrics,
    confusion_cells,
    per_category_metrics,
    reliability_bins,
    selective_metrics,
)
from classifier.pipeline.evaluation.splits import author_groups, author_key, select_held_out
from classifier.pipeline.explanation.training_index import TrainingIndex
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.extractor import Blocks, FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, Float32, Int64
from classifier.pipeline.taxonomy.hierarchy import hierarchical_smoothing

MIN_BOOKS = 10
"""Fewer categorised books cannot be split into training and holdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSplit:
    """Training and held-out books of a catalogue, with the sorted category names.

    Attributes
    ----------
    y
        -1 if uncategorised or held out.
    held_out, truth : (n_held_out,)
        Indices of the held-out books and their categories.
    authors : (n_books,)
        See `splits.author_groups`.
    smoothing_matrix : (n_classes, n_classes)
        See `hierarchical_smoothing`.
    """

    classes: list[str]
    y: Int64
    held_out: Int64
    truth: Int64
    authors: Int64 | None
    smoothing_matrix: Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A trained model and its metrics on the held-out books.

    Attributes
    ----------
    metrics
        ``fused``, one entry per modality, and ``majority``: accuracy, macro_f1, top3, calibration_error,
        calibration_noise; ``per_category``, ``confusion``, ``reliability``, ``selective``, ``by_level``;
        numbers of books and categories; and notes for the librarian.
    """

    model: TrainedModel
    metrics: dict[str, Any]


def split_catalogue(catalogue: Catalogue, *, config: Config) -> TrainingSplit:
    """Split the categorised books; raises `NotEnoughData` for too few categorised books or categories."""
    books = catalogue.books
    labelled = np.array([i for i, book in enumerate(books) if book.category], np.int64)
    classes = _classes([books[i].category or "" for i in labelled])
    index = {name: i for i, name in enumerate(classes)}
    y = np.array([index[book.category] if book.category else -1 for book in books], np.int64)
    authors = author_groups(books)
    smoothing = hierarchical_smoothing(classes, catalogue.parents)
    keys = [books[i].id if authors is None else author_key(books[i]) for i in labelled]
    is_held_out = select_held_out(keys, share=config.training.holdout, max_books=config.training.max_holdout)
    held_out = labelled[is_held_out]
    truth = y[held_out]
    y[held_out] = -1
    if len(np.unique(y[y >= 0])) < 2:
        raise NotEnoughData(
            "Without the books held out, fewer than two categories are left to tell apart. "
            "Categorise more books, at least two in each of two categories."
        )
    return TrainingSplit(
        classes=classes, y=y, held_out=held_out, truth=truth, authors=authors, smoothing_matrix=smoothing
    )


def train(
    catalogue: Catalogue,
    *,
    config: Config,
    seed: int,
    cache: FeatureCache | None = None,
    progress: Progress = no_progress,
) -> TrainingResult:
    """Train a model on a catalogue; the same seed, catalogue and machine give the same model.

    Features are learned from all books, categories from the categorised books that are not held out. Below
    ``training.refit_below`` books the serving classifier is retrained on all of them.

    Raises
    ------
    NotEnoughData
        For too few categorised books or categories.
    """
    books = catalogue.books
    split = split_catalogue(catalogue, config=config)
    classes, held_out = split.classes, split.held_out
    extractor = FeatureExtractor(config=config, cache=cache)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(seed), progress=progress)
    if not blocks:
        raise NotEnoughData("No book has anything to learn from: no text, no cover, no recording, no loan.")

    def learn(y: Int64, phase: str) -> FusionClassifier:
        return FusionClassifier(config=config, seed=seed).fit(
            blocks,
            y,
            n_classes=len(classes),
            groups=split.authors,
            smoothing_matrix=split.smoothing_matrix,
            on_step=lambda done, total: progress(phase, done, total),
        )

    holdout_blocks = {name: block.take(held_out) for name, block in blocks.items()}
    evaluation_classifier = learn(split.y, "training")
    evaluation_classifier.calibrate(holdout_blocks, split.truth)
    result = _metrics(
        evaluation_classifier, holdout_blocks, split.truth, classes=classes, parents=catalogue.parents
    )
    serving_classifier = evaluation_classifier
    categorised = int(np.sum(split.y >= 0)) + len(held_out)
    all_labels = split.y.copy()
    all_labels[held_out] = split.truth
    if categorised < config.training.refit_below:
        serving_classifier = learn(all_labels, "training again with the test books")
        serving_classifier.temperature_ = evaluation_classifier.temperature_
    notes = list(extractor.notes)
    if split.authors is not None:
        notes.append(
            "The books without a category are by other authors than those with one. So authors were kept "
            "apart in learning and in judging."
        )
    probabilities = evaluation_classifier.predict_proba(holdout_blocks)
    model = TrainedModel(
        config=config,
        seed=seed,
        classes=classes,
        extractor=extractor,
        serving_classifier=serving_classifier,
        evaluation_classifier=evaluation_classifier,
        training_index=TrainingIndex.from_blocks(
            serving_classifier,
            blocks,
            ids=[book.id for book in books],
            y=all_labels,
            modalities=[name for name, modality in extractor.modalities_.items() if modality.shows_nearest],
        ),
        out_of_fold=serving_classifier.out_of_fold_,
        held_out=[books[i].id for i in held_out],
        confidence=probabilities.max(axis=1),
        correct=probabilities.argmax(axis=1) == split.truth,
    )
    result |= {
        "books": len(books),
        "categorised": categorised,
        "categories": len(classes),
        "notes": notes,
    }
    return TrainingResult(model=model, metrics=result)


def evaluate(model: TrainedModel, catalogue: Catalogue) -> dict[str, Any]:
    """Evaluate a model on those of its held-out books that still exist; raises `NotEnoughData` if none do."""
    index = {name: i for i, name in enumerate(model.classes)}
    held_out = set(model.held_out)
    books = [book for book in catalogue.books if book.id in held_out and book.category in index]
    if not books:
        raise NotEnoughData("None of the books this version was measured on is in the catalogue any more.")
    part = Catalogue(books=books, loans=catalogue.loans, parents=catalogue.parents)
    blocks = model.extractor.transform(part)
    truth = np.array([index[book.category or ""] for book in books], np.int64)
    return _metrics(
        model.evaluation_classifier, blocks, truth, classes=model.classes, parents=catalogue.parents
    )


def _classes(categories: list[str]) -> list[str]:
    books = Counter(categories)
    if len(categories) < MIN_BOOKS:
        raise NotEnoughData(
            f"{len(categories)} of the books have a category; learning needs {MIN_BOOKS} at least.",
            categorised=len(categories),
        )
    if len(books) < 2:
        raise NotEnoughData(
            f"All categorised books are in one category, {min(books)}; learning needs two.", categories=1
        )
    if sum(count > 1 for count in books.values()) < 2:
        raise NotEnoughData(
            "Almost every category has one book only; at least two categories need two books or more.",
            categories=len(books),
        )
    return sorted(books)


def _metrics(
    classifier: FusionClassifier,
    blocks: Blocks,
    truth: Int64,
    *,
    classes: Sequence[str],
    parents: Mapping[str, str],
) -> dict[str, Any]:
    """Return cross-calibrated metrics of the fusion, each modality alone, and the majority category."""
    books = classifier.encode(blocks)
    fused = cross_calibrated(classifier.scores(books), truth, prior=classifier.expected_temperature_)
    confidence, correct = fused.max(axis=1), (fused.argmax(axis=1) == truth).astype(np.float64)
    metrics: dict[str, Any] = {"held_out": len(truth), "fused": compute_metrics(fused, truth)}
    for position, name in enumerate(classifier.modalities_):
        shown = np.arange(len(classifier.modalities_)) == position
        scores = classifier.scores(books, shown=np.broadcast_to(shown, books.present.shape))
        metrics[name] = compute_metrics(
            cross_calibrated(scores, truth, prior=classifier.expected_temperature_), truth
        )
    metrics["majority"] = compute_metrics(np.tile(np.exp(classifier.prior_), (len(truth), 1)), truth)
    return metrics | {
        "per_category": per_category_metrics(fused, truth, classes=classes),
        "confusion": confusion_cells(fused, truth),
        "classes": list(classes),
        "reliability": reliability_bins(confidence, correct),
        "selective": selective_metrics(confidence, correct),
        "by_level": accuracy_by_level(fused, truth, classes=classes, parents=parents),
    }
