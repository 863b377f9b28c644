"""Tuning: a search for better settings, and what they bring on books that the search has not seen.

The best of many cross-validated scores is flattered by having been chosen. So the books that training
holds out take no part in the search, and what was found is compared with the defaults on them.

References
----------
Cawley and Talbot, On Over-fitting in Model Selection, JMLR 11, 2010.
"""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial
from sklearn.exceptions import ConvergenceWarning

from classifier.pipeline.config import Config
from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import crossfitted
from classifier.pipeline.evaluation.metrics import figures
from classifier.pipeline.evaluation.significance import mcnemar
from classifier.pipeline.evaluation.splits import grouped_folds, stratified_folds
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.features.extractor import Blocks, FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import Catalogue, Float64, Int64
from classifier.pipeline.training.search_space import search_space, settings_at, starting_point
from classifier.pipeline.training.study import Study, StudyError, fingerprint, opened_study
from classifier.pipeline.training.train import Task, task_of

FOLDS = 3
"""Each trial learns from two thirds of the books three times: more folds cost more and tell little more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    settings : list of str
        ``part.name=value`` where the best differs from the defaults; none if nothing was better.
    stopped : {"trials", "timeout", "interrupted"}
        What ended the search.
    trials : dict of str to int
        ``finished``, of these ``pruned`` and ``failed``, and ``new`` in this run.
    held_out : int
        Books that the search has not seen, on which both were measured.
    defaults, best : dict
        ``search_macro_f1``, cross-validated; and what training gives of the fused model on the held-out
        books.
    gain : dict
        Differences of accuracy and macro_f1 on the held-out books; and what
        `comparison.mcnemar` says: ``won``, ``lost``, ``p_value``.
    """

    settings: list[str]
    stopped: str
    trials: dict[str, int]
    held_out: int
    defaults: dict[str, float]
    best: dict[str, float]
    gain: dict[str, float]


class _TimeIsUpError(Exception):
    """Ends a trial in its midst."""


def tune(
    catalogue: Catalogue,
    *,
    config: Config,
    fixed: Collection[str] = (),
    seed: int,
    trials: int,
    folder: Path,
    timeout: float | None = None,
    fresh: bool = False,
    progress: Progress = no_progress,
    clock: Callable[[], float] = time.monotonic,
) -> Tuning:
    """Search the settings with the best cross-validated macro-F1.

    The search is kept in `folder`, under a name made of the books, the loans, the configuration, the
    space and the seed; where the same search is there, it is gone on with.

    Parameters
    ----------
    catalogue : Catalogue
    config : Config
        The defaults: where the search starts and what the result is compared with.
    fixed : collection of str
        Settings, as ``part.name``, that are not searched.
    seed : int
    trials : int
        Finished trials in all, with those of earlier runs.
    folder : Path
    timeout : float, optional
        Seconds after which the search ends, in the midst of a trial if need be.
    fresh : bool
        Forget the search that is there.
    progress : callable
        Called with (phase, done, total).
    clock : callable
        Returns seconds.

    Raises
    ------
    NotEnoughData
        If there are too few categorised books to search with.
    StudyError
        If nothing is left to search, not even the defaults were scored in time, or the kept search cannot
        be used.
    KeyboardInterrupt
        If interrupted before anything was scored; later, what was found is measured and returned.
    """
    space = search_space(config, fixed=fixed)
    if not space:
        raise StudyError("All settings that are searched are fixed; leave out some of them.")
    task = task_of(catalogue, config=config)
    _check_enough(task)
    file = folder / f"{fingerprint(catalogue, config, space, seed, FOLDS)}.journal"
    start = starting_point(config, space)
    with opened_study(file, space=space, start=start, seed=seed, fresh=fresh) as study, _quiet():
        blocks = FeatureExtractor(config=config).fit_transform(
            catalogue, rng=np.random.default_rng(seed), progress=progress
        )
        if not blocks:
            raise NotEnoughData(
                "No book has anything to learn from: no text, no cover, no recording, no loan."
            )
        search = _Search(config=config, seed=seed, blocks=blocks, task=task)
        before = len(study.finished)
        best, stopped = _search(search, study, trials, timeout, progress, clock)
        settings = settings_at(best.params, config)
        return Tuning(
            settings=settings,
            stopped=stopped,
            trials=study.counts() | {"new": len(study.finished) - before},
            held_out=len(task.out),
            **_compared(search, settings, study.first, best, progress),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What every trial of a search has in common."""

    config: Config
    seed: int
    blocks: Blocks  # of all books
    task: Task

    def learn(self, config: Config, y: Int64, on_step: Callable[[int, int], None]) -> FusionClassifier:
        """Learn the categories `y` (n_books,) as training does."""
        return FusionClassifier(config=config, seed=self.seed).fit(
            self.blocks,
            y,
            n_classes=len(self.task.classes),
            groups=self.task.authors,
            kinship=self.task.kinship,
            on_step=on_step,
        )

    def rows(self, chosen: Int64) -> Blocks:
        """Return the features of some books."""
        return {name: block.take(chosen) for name, block in self.blocks.items()}


def _compared(
    search: _Search, settings: list[str], first: FrozenTrial, best: FrozenTrial, progress: Progress
) -> dict[str, dict[str, float]]:
    """Return the figures of the defaults and of the best found, and the gain, on the held-out books."""
    truth = search.task.truth
    before = after = _probabilities(search, search.config, "the defaults", progress)
    if settings:
        after = _probabilities(search, search.config.with_settings(settings), "what was found", progress)
    defaults, found = (
        {"search_macro_f1": trial.value or 0.0, **figures(probabilities, truth)}
        for trial, probabilities in ((first, before), (best, after))
    )
    gain = {name: found[name] - defaults[name] for name in ("accuracy", "macro_f1")}
    return {"defaults": defaults, "best": found, "gain": gain | mcnemar(after, before, truth=truth)}


def _search(
    search: _Search,
    study: Study,
    trials: int,
    timeout: float | None,
    progress: Progress,
    clock: Callable[[], float],
) -> tuple[FrozenTrial, str]:
    """Run trials until there are enough; return the best of all and what ended the search."""
    fold = _folds(search)
    began = clock()

    def on_step(done: int, total: int) -> None:
        if timeout is not None and clock() - began >= timeout:
            raise _TimeIsUpError

    def objective(point: dict[str, Any], report: Callable[[float, int], None]) -> float:
        tried = search.config.with_settings(settings_at(point, search.config))
        return _cross_validated(search, fold, tried, report, on_step)

    def tell() -> int:
        done, best = len(study.finished), study.best
        found = f": best macro-F1 {best.value:.3f}" if best else ""
        progress(f"searching{found}", min(done, trials), trials)
        return done

    stopped = "trials"
    try:
        while tell() < trials:
            study.run_trial(objective)
    except _TimeIsUpError:
        stopped = "timeout"
    except KeyboardInterrupt:
        if study.best is None:
            raise
        stopped = "interrupted"
    if study.best is None:
        raise StudyError(
            f"In {timeout:g} seconds not even the defaults were tried; give the search more time."
        )
    return study.best, stopped


def _folds(search: _Search) -> Int64:
    """Return the fold of each book, -1 of those that the search does not judge by."""
    task, rng = search.task, np.random.default_rng(search.seed)
    seen = np.flatnonzero(task.y >= 0)
    fold = np.full(len(task.y), -1)
    if task.authors is None:
        fold[seen] = stratified_folds(task.y[seen], folds=FOLDS, rng=rng)
    else:
        fold[seen] = grouped_folds(task.authors[seen], folds=FOLDS, rng=rng)
    return fold


def _cross_validated(
    search: _Search,
    fold: Int64,
    config: Config,
    report: Callable[[float, int], None],
    on_step: Callable[[int, int], None],
) -> float:
    """Return the macro-F1 over all books, each judged by a model that has not seen it.

    It is taken over the books of all folds at once: a rare category has too few books in one of them.
    """
    y = search.task.y
    probabilities = np.zeros((len(y), len(search.task.classes)))
    score = 0.0
    for k in range(FOLDS):
        unseen = np.flatnonzero(fold == k)
        model = search.learn(config, np.where(fold == k, -1, y), on_step)
        probabilities[unseen] = model.predict_proba(search.rows(unseen))
        if not np.isfinite(probabilities).all():
            raise FloatingPointError("The probabilities are not finite.")
        judged = (fold >= 0) & (fold <= k)
        score = figures(probabilities[judged], y[judged])["macro_f1"]
        report(score, k)
    return score


def _probabilities(search: _Search, config: Config, what: str, progress: Progress) -> Float64:
    """Learn from all books that the search saw; return probabilities of the held-out ones."""
    task = search.task
    model = search.learn(config, task.y, lambda done, total: progress(f"measuring {what}", done, total))
    return crossfitted(model.scores(model.encode(search.rows(task.out))), task.truth, near=model.expected_)


def _check_enough(task: Task) -> None:
    """Refuse what cannot be dealt over the folds."""
    if sum(books > 1 for books in Counter(task.y[task.y >= 0].tolist()).values()) < 2:
        raise NotEnoughData(
            "Without the books held out, fewer than two categories have two books or more, so settings "
            "cannot be compared. Categorise more books."
        )


def _quiet() -> warnings.catch_warnings:
    """Keep settings that do not converge from filling the terminal: their score says it."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
