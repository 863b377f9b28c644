"""Training a version of the model, and measuring one again."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings as django_settings
from django.db import transaction

from classifier.errors import ClassifierError, DamagedModelError, SettingError
from classifier.messages import spoken
from classifier.models import ModelVersion, Run
from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError, PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.monitoring.drift import profile
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training import train as pipeline
from classifier.pipeline.training.challenger import contest
from classifier.selectors.records import all_books, catalogue, categories_by_key, current_names
from classifier.services.classification.reclassify import propose
from classifier.services.feature_cache import feature_cache
from classifier.services.registry import gate, versions
from classifier.services.registry.promotion import promote
from classifier.services.registry.pruning import prune
from classifier.services.runs.heartbeat import Finish, no_finish
from classifier.services.runs.pace import JUDGING, PREVIEWING, SAVING
from library.console import Progress, no_progress

logger = logging.getLogger(__name__)

MAX_SEED = 2**32 - 1
"""What scikit-learn takes."""


def train(
    *,
    now: datetime,
    seed: int = 0,
    settings: Sequence[str] = (),
    run: Run | None = None,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Learn from every categorised book and keep the version as a candidate.

    It is compared with the active version on the books that neither has learned from, and the books whose
    suggestion it would change are listed. Where the setting ``PROMOTION`` is ``automatic`` and the gate lets
    it pass, it becomes active. Old versions are pruned.

    Parameters
    ----------
    now : datetime
    seed : int
        0 to `MAX_SEED`. Same seed and same library: same model.
    settings : sequence of str
        ``part.name=value``, see `classifier.pipeline.config`.
    run : Run, optional
        Which does it.
    progress, finish : callable

    Returns
    -------
    dict
        ``version``, ``active`` (whether it became so), ``reason`` and ``metrics``.

    Raises
    ------
    SettingError
        If a setting or the seed is wrong.
    ClassifierError
        If there is too little to learn from, or the model cannot be written. Nothing is kept then.
    """
    if not 0 <= seed <= MAX_SEED:
        raise SettingError(f"The seed is {seed}; it must be from 0 to {MAX_SEED}.", seed=seed)
    try:
        config = Config().with_settings(settings)
        library = catalogue(all_books())
        trained = pipeline.train(library, config=config, seed=seed, cache=feature_cache(), progress=progress)
    except ConfigError as error:
        raise SettingError(error.message, **error.extra) from error
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    model = trained.model
    progress(JUDGING, 0, 1)
    parent = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    comparison, verdict = _compare(model, library, parent=parent, now=now)
    about = {
        "parent": parent,
        "profile": profile(library, model=model, confidence=model.confidence),
        "comparison": comparison,
        "verdict": verdict.as_json(),
    }
    progress(JUDGING, 1, 1)
    goes_live = verdict.passed and django_settings.PROMOTION == "automatic"
    result = {
        "active": goes_live,
        "reason": " ".join(map(spoken, verdict.reasons)),
        "metrics": trained.figures,
    }
    progress(SAVING, 0, 1)
    with versions.stored(training=trained, now=now) as name:
        version = versions.keep_version(name=name, training=trained, seed=seed, run=run, now=now, **about)
        progress(SAVING, 1, 1)
        if parent:
            propose(version=version, now=now, progress=partial(_preview, progress))
        with transaction.atomic():
            if goes_live:
                promote(version=version, now=now)
            finish({"version": name, **result})
    _prune(now)
    return {"version": name, **result}


def _preview(progress: Progress, _phase: str, done: int, total: int) -> None:
    progress(PREVIEWING, done, total)


def _prune(now: datetime) -> None:
    try:
        prune(now=now)
    except OSError:
        # The version is kept and the run is over; the next one prunes again.
        logger.warning("Old versions could not be pruned", exc_info=True)


def evaluate(*, version: ModelVersion) -> dict[str, Any]:
    """Measure a stored version again on the books held out when it was trained.

    Raises
    ------
    ClassifierError
        If its files are damaged or its held-out books are gone.
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
    """Return how a candidate compares with the active version, and what the gate says of it."""
    if parent is None:
        return {}, gate.first_version()
    try:
        active = versions.load_version(version=parent)
    except DamagedModelError as error:
        versions.alarm_damaged(active=parent, error=error.message, instead=None, now=now)
        return {}, gate.unloadable(active=parent.name, error=error.message)
    try:
        found = contest(
            candidate=model,
            active=active,
            catalogue=library,
            current=current_names(active.classes, known=categories_by_key()),
        )
    except PipelineError as error:
        return {}, gate.incomparable(active=parent.name, error=error.message)
    tolerance = django_settings.PROMOTION_TOLERANCE
    return found, gate.judge(comparison=found, active=parent.name, tolerance=tolerance)
