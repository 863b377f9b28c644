"""Training: what is learned from, what is held out, and the honest figures of the result."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.pipeline.artifact import TrainedModel
from classifier.pipeline.config import Config
from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.features import Blocks, FeatureExtractor, Progress, no_progress
from classifier.pipeline.fusion import FusionClassifier
from classifier.pipeline.metrics import figures, per_category
from classifier.pipeline.records import Catalogue, Float64, Int64
from classifier.pipeline.splits import held_out

MIN_BOOKS = 10
"""Fewer categorised books cannot be split into something to learn from and something to judge by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trained model and the figures it reached on the books held out.

    Attributes
    ----------
    model : TrainedModel
    figures : dict
        ``fused``, one entry a modality and ``majority``: accuracy, macro_f1, top3, calibration_error;
        ``per_category``; how many books and categories; and notes for the librarian.
    """

    model: TrainedModel
    figures: dict[str, Any]


def train(catalogue: Catalogue, *, config: Config, seed: int, progress: Progress = no_progress) -> Training:
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
    progress : callable
        Called with (phase, done, total).

    Raises
    ------
    NotEnoughData
        If there are too few categorised books or categories to learn from.
    """
    books = catalogue.books
    labelled = np.array([i for i, book in enumerate(books) if book.category], np.int64)
    classes = _classes([books[i].category or "" for i in labelled])
    index = {name: i for i, name in enumerate(classes)}
    y = np.array([index[books[i].category or ""] for i in labelled], np.int64)
    ids = [books[i].id for i in labelled]
    out = held_out(ids, share=config.training.holdout, at_most=config.training.max_holdout)
    if len(np.unique(y[~out])) < 2:
        raise NotEnoughData(
            "Without the books held out, fewer than two categories are left to tell apart. "
            "Categorise more books, at least two in each of two categories."
        )
    extractor = FeatureExtractor(config=config)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(seed), progress=progress)
    if not blocks:
        raise NotEnoughData("No book has a text, a cover or a loan: there is nothing to learn from.")
    known = {name: block.take(labelled) for name, block in blocks.items()}

    judged = FusionClassifier(config=config, seed=seed)
    judged.fit(
        {name: block.take(~out) for name, block in known.items()},
        y[~out],
        n_classes=len(classes),
        on_step=lambda done, total: progress("learning", done, total),
    )
    serving = judged
    if len(y) < config.training.refit_below:
        serving = FusionClassifier(config=config, seed=seed).fit(
            known,
            y,
            n_classes=len(classes),
            on_step=lambda done, total: progress("learning with the held-out books", done, total),
        )
    model = TrainedModel(
        config=config,
        seed=seed,
        classes=classes,
        extractor=extractor,
        serving=serving,
        judged=judged,
        held_out=[book for book, is_out in zip(ids, out, strict=True) if is_out],
        majority=int(np.bincount(y[~out]).argmax()),
    )
    result = _figures(model, {name: block.take(out) for name, block in known.items()}, y[out])
    result |= {
        "books": len(books),
        "categorised": len(y),
        "categories": len(classes),
        "notes": extractor.notes,
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
    blocks = model.extractor.transform(Catalogue(books=books, loans=catalogue.loans))
    return _figures(model, blocks, np.array([index[book.category or ""] for book in books], np.int64))


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


def _figures(model: TrainedModel, blocks: Blocks, truth: Int64) -> dict[str, Any]:
    """Judge the fused model, each modality alone and the majority category on the same books."""
    majority = np.zeros((len(truth), len(model.classes)))
    majority[:, model.majority] = 1
    fused = model.judged.predict_proba(blocks)
    alone = model.judged.log_probabilities(blocks)  # (n_books, 1 + n_modalities, n_classes)
    table: dict[str, Any] = {"held_out": len(truth), "fused": figures(fused, truth)}
    for position, name in enumerate(model.judged.modalities_, start=1):
        table[name] = figures(_or_majority(alone[:, position], blocks[name].present, majority), truth)
    table["majority"] = figures(majority, truth)
    table["per_category"] = per_category(fused, truth, classes=model.classes)
    return table


def _or_majority(log_probabilities: Any, present: Any, majority: Float64) -> Float64:
    """Return a modality's probabilities, and the majority category where the book lacks the modality."""
    probabilities = np.exp(log_probabilities.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return np.where(present[:, None], probabilities, majority)
