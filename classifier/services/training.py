"""Training a version of the model, and measuring one again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from classifier.errors import ClassifierError, SettingError
from classifier.models import ModelVersion
from classifier.pipeline import training as pipeline
from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError, PipelineError
from classifier.selectors import all_books, catalogue
from classifier.services import versions
from classifier.services.features import feature_cache
from classifier.services.pace import JUDGING, SAVING
from classifier.services.reporting import Finish, no_finish
from library.console import Progress, no_progress

MAX_SEED = 2**32 - 1
"""What scikit-learn takes."""


def train(
    *,
    now: datetime,
    seed: int = 0,
    settings: Sequence[str] = (),
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Learn from every categorised book, keep the version, and activate it if it is no worse.

    Parameters
    ----------
    now : datetime
    seed : int
        0 to `MAX_SEED`. Same seed and same library: same model.
    settings : sequence of str
        ``part.name=value``, see `classifier.pipeline.config`.
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
        trained = pipeline.train(
            catalogue(all_books()), config=config, seed=seed, cache=feature_cache(), progress=progress
        )
    except ConfigError as error:
        raise SettingError(error.message, **error.extra) from error
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    progress(JUDGING, 0, 1)
    better, reason = _compare(trained.figures)
    progress(JUDGING, 1, 1)
    result = {"active": better, "reason": reason, "metrics": trained.figures}
    progress(SAVING, 0, 1)
    with versions.stored(training=trained, now=now) as name, transaction.atomic():
        version = versions.keep_version(name=name, training=trained, seed=seed, now=now)
        if better:
            versions.activate(version=version)
        progress(SAVING, 1, 1)
        finish({"version": name, **result})
    return {"version": name, **result}


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


def _compare(figures: dict[str, Any]) -> tuple[bool, str]:
    """Say whether a candidate may take over, and why, judged on today's books."""
    active = ModelVersion.objects.filter(active=True).first()
    if active is None:
        return True, "It is the first version."
    try:
        current = evaluate(version=active)["metrics"]
    except ClassifierError as error:
        return True, f"The active version {active.name} cannot be measured: {error.message}"
    accuracy, before = figures["fused"]["accuracy"], current["fused"]["accuracy"]
    if versions.no_worse(candidate=figures, active=current):
        return True, f"Accuracy {accuracy:.3f} is no worse than {before:.3f} of {active.name}."
    return False, f"Accuracy {accuracy:.3f} is below {before:.3f} of {active.name}, which stays active."
