"""Training: what is learned from, what is held out, and the honest figures of the result."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import crossfitted
from classifier.pipeline.evaluation.metrics import (
    by_level,
    confusion,
    figures,
    per_category,
    reliability,
    selective,
)
from classifier.pipeline.evaluation.splits import author_groups, author_of, held_out
from classifier.pipeline.explanation.training_index import Gallery
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.extractor import Blocks, FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, Float32, Int64
from classifier.pipeline.taxonomy.hierarchy import kinship

MIN_BOOKS = 10
"""Fewer categorised books cannot be split into something to learn from and something to judge by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What of a catalogue is learned from, and what is held out.

    Attributes
    ----------
    classes : list of str
        Categories in order.
    y : int array (n_books,)
        Index of each book's category, -1 where it has none or is held out.
    out : int array (n_held_out,)
        Which books are held out.
    truth : int array (n_held_out,)
        Index of their categories.
    authors : int array (n_books,) or None
        See `splits.author_groups`.
    kinship : float array (n_classes, n_classes)
        See `tree.kinship`.
    """

    classes: list[str]
    y: Int64
    out: Int64
    truth: Int64
    authors: Int64 | None
    kinship: Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trained model and the figures it reached on the books held out.

    Attributes
    ----------
    model : TrainedModel
    figures : dict
        ``fused``, one entry a modality and ``majority``: accuracy, macro_f1, top3, calibration_error,
        calibration_noise;
        ``per_category``, ``confusion``, ``reliability``, ``selective``, ``by_level``; how many books and
        categories; and notes for the librarian.
    """

    model: TrainedModel
    figures: dict[str, Any]


def task_of(catalogue: Catalogue, *, config: Config) -> Task:
    """Say which books are learned from and which are held out.

    Raises
    ------
    NotEnoughData
        If there are too few categorised books or categories to learn from.
    """
    books = catalogue.books
    labelled = np.array([i for i, book in enumerate(books) if book.category], np.int64)
    classes = _classes([books[i].category or "" for i in labelled])
    index = {name: i for i, name in enumerate(classes)}
    y = np.array([index[book.category] if book.category else -1 for book in books], np.int64)
    authors = author_groups(books)
    near = kinship(classes, catalogue.parents)
    keys = [books[i].id if authors is None else author_of(books[i]) for i in labelled]
    chosen = held_out(keys, share=config.training.holdout, at_most=config.training.max_holdout)
    out = labelled[chosen]
    truth = y[out]
    y[out] = -1
    if len(np.unique(y[y >= 0])) < 2:
        raise NotEnoughData(
            "Without the books held out, fewer than two categories are left to tell apart. "
            "Categorise more books, at least two in each of two categories."
        )
    return Task(classes=classes, y=y, out=out, truth=truth, authors=authors, kinship=near)


def train(
    catalogue: Catalogue,
    *,
    config: Config,
    seed: int,
    cache: FeatureCache | None = None,
    progress: Progress = no_progress,
) -> Training:
    """Learn the categories of a catalogue's categorised books.

    Features are learned of all books, categories of the categorised ones that are not held out; with less
    than ``training.refit_below`` of them, the model that serves is trained once more on all.

    Parameters
    ----------
    catalogue : Catalogue
        All books, those without a category too.
    config : Config
    seed : int
        Same seed, catalogue and machine give the same model.
    cache : FeatureCache, optional
        Where features of books that have not changed are found again.
    progress : callable
        Called with (phase, done, total).

    Raises
    ------
    NotEnoughData
        If there are too few categorised books or categories to learn from.
    """
    books = catalogue.books
    task = task_of(catalogue, config=config)
    classes, out = task.classes, task.out
    extractor = FeatureExtractor(config=config, cache=cache)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(seed), progress=progress)
    if not blocks:
        raise NotEnoughData("No book has anything to learn from: no text, no cover, no recording, no loan.")

    def learn(y: Int64, phase: str) -> FusionClassifier:
        return FusionClassifier(config=config, seed=seed).fit(
            blocks,
            y,
            n_classes=len(classes),
            groups=task.authors,
            kinship=task.kinship,
            on_step=lambda done, total: progress(phase, done, total),
        )

    unseen = {name: block.take(out) for name, block in blocks.items()}
    judged = learn(task.y, "learning")
    judged.calibrate(unseen, task.truth)
    result = _figures(judged, unseen, task.truth, classes=classes, parents=catalogue.parents)
    serving = judged
    categorised = int(np.sum(task.y >= 0)) + len(out)
    every = task.y.copy()
    every[out] = task.truth
    if categorised < config.training.refit_below:
        serving = learn(every, "learning with the held-out books")
        serving.temperature_ = judged.temperature_
    notes = list(extractor.notes)
    if task.authors is not None:
        notes.append(
            "The books without a category are by other authors than those with one. So authors were kept "
            "apart in learning and in judging."
        )
    probabilities = judged.predict_proba(unseen)
    model = TrainedModel(
        config=config,
        seed=seed,
        classes=classes,
        extractor=extractor,
        serving=serving,
        judged=judged,
        gallery=Gallery.of(
            serving,
            blocks,
            ids=[book.id for book in books],
            y=every,
            shown=[name for name, modality in extractor.modalities_.items() if modality.shows_nearest],
        ),
        unseen=serving.unseen_,
        held_out=[books[i].id for i in out],
        confidence=probabilities.max(axis=1),
        correct=probabilities.argmax(axis=1) == task.truth,
    )
    result |= {
        "books": len(books),
        "categorised": categorised,
        "categories": len(classes),
        "notes": notes,
    }
    return Training(model=model, figures=result)


def evaluate(model: TrainedModel, catalogue: Catalogue) -> dict[str, Any]:
    """Take the figures of a stored model again, on those of its held-out books that are still there.

    Parameters
    ----------
    model : TrainedModel
    catalogue : Catalogue
        The library's books and loans as they are now.

    Raises
    ------
    NotEnoughData
        If none of the held-out books is in the catalogue with a category the model knows.
    """
    index = {name: i for i, name in enumerate(model.classes)}
    wanted = set(model.held_out)
    books = [book for book in catalogue.books if book.id in wanted and book.category in index]
    if not books:
        raise NotEnoughData("None of the books this version was measured on is in the catalogue any more.")
    part = Catalogue(books=books, loans=catalogue.loans, parents=catalogue.parents)
    blocks = model.extractor.transform(part)
    truth = np.array([index[book.category or ""] for book in books], np.int64)
    return _figures(model.judged, blocks, truth, classes=model.classes, parents=catalogue.parents)


def _classes(categories: list[str]) -> list[str]:
    """Return the categories in order, or refuse to learn from them."""
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


def _figures(
    judged: FusionClassifier,
    blocks: Blocks,
    truth: Int64,
    *,
    classes: Sequence[str],
    parents: Mapping[str, str],
) -> dict[str, Any]:
    """Judge the fused model, each modality alone and the majority category on the same books.

    At no temperature that was fitted to these very books.
    """
    books = judged.encode(blocks)
    fused = crossfitted(judged.scores(books), truth, near=judged.expected_)
    confidence, correct = fused.max(axis=1), (fused.argmax(axis=1) == truth).astype(np.float64)
    table: dict[str, Any] = {"held_out": len(truth), "fused": figures(fused, truth)}
    for position, name in enumerate(judged.modalities_):
        alone = np.arange(len(judged.modalities_)) == position
        scores = judged.scores(books, shown=np.broadcast_to(alone, books.present.shape))
        table[name] = figures(crossfitted(scores, truth, near=judged.expected_), truth)
    table["majority"] = figures(np.tile(np.exp(judged.prior_), (len(truth), 1)), truth)
    return table | {
        "per_category": per_category(fused, truth, classes=classes),
        "confusion": confusion(fused, truth),
        "classes": list(classes),
        "reliability": reliability(confidence, correct),
        "selective": selective(confidence, correct),
        "by_level": by_level(fused, truth, classes=classes, parents=parents),
    }
