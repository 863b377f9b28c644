"""Tune hyperparameters, and measure the gain on books that the search has not seen.

The best of many cross-validated scores is biased upwards, so it is compared with the defaults on held-out
books (Cawley and Talbot, On Over-fitting in Model Selection, JMLR 11, 2010).
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
from classifier.pipeline.evaluation.calibration import cross_calibrated
from classifier.pipeline.evaluation.metrics import compute_metrics
from classifier.pipeline.evaluation.significance import mcnemar
from classifier.pipeline.evaluation.splits import grouped_folds, stratified_folds
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.features.extractor import Blocks, FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import Catalogue, Float64, Int64
from classifier.pipeline.training.search_space import search_space, settings_at, starting_point
from classifier.pipeline.training.study import HyperparameterSearch, SearchError, fingerprint, open_search
from classifier.pipeline.training.train import TrainingSplit, split_catalogue

FOLDS = 3
"""More folds per trial take longer and add little information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResult:
    """Result of a search.

    Attributes
    ----------
    settings
        ``part.name=value`` of the best trial where it differs from the defaults.
    stopped
        "trials", "timeout" or "interrupted".
    trials
        Numbers ``finished``, ``pruned`` and ``failed`` among these, and ``new`` in this run.
    held_out
        Number of held-out books.
    defaults, best
        Cross-validated ``search_macro_f1``, and the metrics on the held-out books.
    gain
        Differences in accuracy and macro_f1 on these, and ``won``, ``lost``, ``p_value`` of `mcnemar`.
    """

    settings: list[str]
    stopped: str
    trials: dict[str, int]
    held_out: int
    defaults: dict[str, float]
    best: dict[str, float]
    gain: dict[str, float]


class _TimeoutReachedError(Exception):
    """Ends a running trial."""


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
) -> TuningResult:
    """Search the settings with the best cross-validated macro-F1, compared with `config` on held-out books.

    The search is stored in `folder` under a hash of books, loans, configuration, search space and seed; an
    existing one is resumed unless `fresh`. The ``part.name`` in `fixed` are not searched.

    Parameters
    ----------
    trials
        Total of finished trials, earlier runs included.
    timeout
        Seconds of `clock` after which the search stops, even within a trial.

    Raises
    ------
    NotEnoughData
        For too few categorised books.
    SearchError
        If all settings are fixed, the defaults were not scored in time, or the stored search is unusable.
    KeyboardInterrupt
        If interrupted before the first score; later interrupts return the best so far.
    """
    space = search_space(config, fixed=fixed)
    if not space:
        raise SearchError("All searchable settings are fixed. Remove some of them.")
    split = split_catalogue(catalogue, config=config)
    _check_enough(split)
    file = folder / f"{fingerprint(catalogue, config, space, seed, FOLDS)}.journal"
    start = starting_point(config, space)
    with open_search(file, space=space, start=start, seed=seed, fresh=fresh) as search, _quiet():
        blocks = FeatureExtractor(config=config).fit_transform(
            catalogue, rng=np.random.default_rng(seed), progress=progress
        )
        if not blocks:
            raise NotEnoughData(
                "No book has anything to learn from: no text, no cover, no recording, no loan."
            )
        data = _TrialData(config=config, seed=seed, blocks=blocks, split=split)
        before = len(search.finished)
        best, stopped = _search(data, search, trials, timeout, progress, clock)
        settings = settings_at(best.params, config)
        return TuningResult(
            settings=settings,
            stopped=stopped,
            trials=search.counts() | {"new": len(search.finished) - before},
            held_out=len(split.held_out),
            **_compare(data, settings, search.first, best, progress),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrialData:
    config: Config
    seed: int
    blocks: Blocks  # of all books
    split: TrainingSplit

    def learn(self, config: Config, y: Int64, on_step: Callable[[int, int], None]) -> FusionClassifier:
        return FusionClassifier(config=config, seed=self.seed).fit(
            self.blocks,
            y,
            n_classes=len(self.split.classes),
            groups=self.split.authors,
            smoothing_matrix=self.split.smoothing_matrix,
            on_step=on_step,
        )

    def rows(self, rows: Int64) -> Blocks:
        return {name: block.take(rows) for name, block in self.blocks.items()}


def _compare(
    data: _TrialData, settings: list[str], first: FrozenTrial, best: FrozenTrial, progress: Progress
) -> dict[str, dict[str, float]]:
    truth = data.split.truth
    before = after = _probabilities(data, data.config, "default settings", progress)
    if settings:
        after = _probabilities(data, data.config.with_settings(settings), "best settings found", progress)
    defaults, tuned = (
        {"search_macro_f1": trial.value or 0.0, **compute_metrics(probabilities, truth)}
        for trial, probabilities in ((first, before), (best, after))
    )
    gain = {name: tuned[name] - defaults[name] for name in ("accuracy", "macro_f1")}
    return {"defaults": defaults, "best": tuned, "gain": gain | mcnemar(after, before, truth=truth)}


def _search(
    data: _TrialData,
    search: HyperparameterSearch,
    trials: int,
    timeout: float | None,
    progress: Progress,
    clock: Callable[[], float],
) -> tuple[FrozenTrial, str]:
    fold = _folds(data)
    started = clock()

    def on_step(done: int, total: int) -> None:
        if timeout is not None and clock() - started >= timeout:
            raise _TimeoutReachedError

    def objective(point: dict[str, Any], report: Callable[[float, int], None]) -> float:
        config = data.config.with_settings(settings_at(point, data.config))
        return _cross_validate(data, fold, config, report, on_step)

    def report_progress() -> int:
        done, best = len(search.finished), search.best
        score = f": best macro-F1 {best.value:.3f}" if best else ""
        progress(f"searching settings{score}", min(done, trials), trials)
        return done

    stopped = "trials"
    try:
        while report_progress() < trials:
            search.run_trial(objective)
    except _TimeoutReachedError:
        stopped = "timeout"
    except KeyboardInterrupt:
        if search.best is None:
            raise
        stopped = "interrupted"
    if search.best is None:
        raise SearchError(f"The defaults were not finished within {timeout:g} seconds. Allow more time.")
    return search.best, stopped


def _folds(data: _TrialData) -> Int64:
    """Return the fold of each book, -1 for books outside the search."""
    split, rng = data.split, np.random.default_rng(data.seed)
    labelled = np.flatnonzero(split.y >= 0)
    fold = np.full(len(split.y), -1)
    if split.authors is None:
        fold[labelled] = stratified_folds(split.y[labelled], folds=FOLDS, rng=rng)
    else:
        fold[labelled] = grouped_folds(split.authors[labelled], folds=FOLDS, rng=rng)
    return fold


def _cross_validate(
    data: _TrialData,
    fold: Int64,
    config: Config,
    report: Callable[[float, int], None],
    on_step: Callable[[int, int], None],
) -> float:
    """Return the macro-F1 over all folds at once, because one has too few books of a rare category."""
    y = data.split.y
    probabilities = np.zeros((len(y), len(data.split.classes)))
    score = 0.0
    for k in range(FOLDS):
        in_fold = np.flatnonzero(fold == k)
        model = data.learn(config, np.where(fold == k, -1, y), on_step)
        probabilities[in_fold] = model.predict_proba(data.rows(in_fold))
        if not np.isfinite(probabilities).all():
            raise FloatingPointError("The probabilities are not finite.")
        predicted = (fold >= 0) & (fold <= k)
        score = compute_metrics(probabilities[predicted], y[predicted])["macro_f1"]
        report(score, k)
    return score


def _probabilities(data: _TrialData, config: Config, name: str, progress: Progress) -> Float64:
    split = data.split
    model = data.learn(config, split.y, lambda done, total: progress(f"evaluating the {name}", done, total))
    scores = model.scores(model.encode(data.rows(split.held_out)))
    return cross_calibrated(scores, split.truth, prior=model.expected_temperature_)


def _check_enough(split: TrainingSplit) -> None:
    if sum(books > 1 for books in Counter(split.y[split.y >= 0].tolist()).values()) < 2:
        raise NotEnoughData(
            "Without the books held out, fewer than two categories have two books or more, so settings "
            "cannot be compared. Categorise more books."
        )


def _quiet() -> warnings.catch_warnings:
    """Suppress convergence warnings: their scores show bad settings."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
