"""Training of a model version, and evaluation of a stored one."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings as django_settings
from django.db import transaction

from classifier.errors import ClassifierError, DamagedModelError, SettingError
from classifier.messages import render
from classifier.models import ModelVersion
from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError, PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.monitoring.drift import profile_catalogue
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training import train as pipeline
from classifier.pipeline.training.challenger import compare_challenger
from classifier.selectors.records import all_books, catalogue, categories_by_key, current_names
from classifier.services.classification.reclassify import propose
from classifier.services.feature_cache import feature_cache
from classifier.services.registry import gate, versions
from classifier.services.registry.promotion import promote
from classifier.services.registry.pruning import prune
from classifier.services.runs.context import JobContext
from classifier.services.runs.phases import EVALUATING, PREVIEWING, SAVING
from library.console import Progress

logger = logging.getLogger(__name__)

MAX_SEED = 2**32 - 1
"""Limit of scikit-learn."""


def train(context: JobContext, *, seed: int = 0, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Train on every categorised book and store the version as a candidate.

    It is compared with the active version on books that neither was trained on, and the books whose
    suggestion it would change are listed. It becomes active if the setting ``PROMOTION`` is ``automatic`` and
    it passes the quality check. Old versions are pruned.

    Parameters
    ----------
    seed
        0 to `MAX_SEED`; the same seed and library give the same model.
    settings
        ``part.name=value``.

    Returns
    -------
    dict
        ``version``, ``active`` (whether it became active), ``reason`` and ``metrics``.

    Raises
    ------
    SettingError
        If a setting or the seed is invalid.
    ClassifierError
        If there are too few books, or the model cannot be written. Nothing is stored then.
    """
    if not 0 <= seed <= MAX_SEED:
        raise SettingError(f"The seed is {seed}; it must be from 0 to {MAX_SEED}.", seed=seed)
    now, progress = context.now, context.progress
    try:
        config = Config().with_settings(settings)
        library = catalogue(all_books())
        trained = pipeline.train(library, config=config, seed=seed, cache=feature_cache(), progress=progress)
    except ConfigError as error:
        raise SettingError(error.message, **error.extra) from error
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    model = trained.model
    progress(EVALUATING, 0, 1)
    parent = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    comparison, verdict = _compare(model, library, parent=parent, now=now)
    fields = {
        "parent": parent,
        "profile": profile_catalogue(library, model=model, confidence=model.confidence),
        "comparison": comparison,
        "verdict": verdict.as_json(),
    }
    progress(EVALUATING, 1, 1)
    is_promoted = verdict.passed and django_settings.PROMOTION == "automatic"
    result = {
        "active": is_promoted,
        "reason": " ".join(map(render, verdict.reasons)),
        "metrics": trained.metrics,
    }
    progress(SAVING, 0, 1)
    with versions.stored_model(training=trained, now=now) as name:
        version = versions.create_version(
            name=name, training=trained, seed=seed, run=context.run, now=now, **fields
        )
        progress(SAVING, 1, 1)
        if parent:
            propose(version=version, now=now, progress=partial(_preview, progress))
        with transaction.atomic():
            if is_promoted:
                promote(version=version, now=now)
            context.finish({"version": name, **result})
    _prune(now)
    return {"version": name, **result}


def _preview(progress: Progress, _phase: str, done: int, total: int) -> None:
    progress(PREVIEWING, done, total)


def _prune(now: datetime) -> None:
    try:
        prune(now=now)
    except OSError:
        # The version is stored and the run has succeeded; the next training prunes again.
        logger.warning("Old versions could not be pruned", exc_info=True)


def evaluate(*, version: ModelVersion) -> dict[str, Any]:
    """Evaluate a stored version again on the books held out from its training.

    Raises
    ------
    ClassifierError
        If its files are damaged or its held-out books have been deleted.
    """
    model = versions.load_version(version=version)
    books = (
        all_books().filter(control_number__in=model.held_out) if len(model.held_out) < 500 else all_books()
    )
    try:
        metrics = pipeline.evaluate(model, catalogue(books))
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    return {"version": version.name, "active": version.active, "metrics": metrics}


def _compare(
    model: TrainedModel, library: Catalogue, *, parent: ModelVersion | None, now: datetime
) -> tuple[dict[str, Any], gate.Verdict]:
    if parent is None:
        return {}, gate.first_version()
    try:
        active = versions.load_version(version=parent)
    except DamagedModelError as error:
        versions.raise_damaged_alert(active=parent, error=error.message, instead=None, now=now)
        return {}, gate.unloadable(active=parent.name, error=error.message)
    try:
        comparison = compare_challenger(
            challenger=model,
            champion=active,
            catalogue=library,
            current=current_names(active.classes, categories=categories_by_key()),
        )
    except PipelineError as error:
        return {}, gate.incomparable(active=parent.name, error=error.message)
    tolerance = django_settings.PROMOTION_TOLERANCE
    return comparison, gate.check(comparison=comparison, active=parent.name, tolerance=tolerance)
