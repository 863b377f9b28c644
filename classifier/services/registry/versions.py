"""Versions of the model: kept for ever as they were trained, one of them active."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from classifier.errors import ClassifierError, DamagedModelError, NoModelError
from classifier.messages import sentence
from classifier.models import Alarm, ModelVersion, Run
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.training.train import Training
from classifier.services.feature_cache import feature_cache
from classifier.services.registry.alarms import clear_alarms, raise_alarm
from classifier.services.registry.promotion import active_version, earlier_versions
from classifier.services.registry.storage import confirmed, folder_of, tidy


def version_named(name: str) -> ModelVersion:
    """Return the version of that name.

    Raises
    ------
    NoModelError
        If there is none; the message lists the newest ones.
    """
    version = ModelVersion.objects.filter(name=name).first()
    if version is None:
        newest = ", ".join(ModelVersion.objects.values_list("name", flat=True)[:5]) or "none yet"
        raise NoModelError(f"There is no model version {name}. Newest: {newest}.")
    return version


def load_version(*, version: ModelVersion) -> TrainedModel:
    """Return the model of a version; a process reads each version once.

    Raises
    ------
    DamagedModelError
        If its files are missing or altered, or of another format.
    """
    try:
        model = _load(folder_of(name=version.name))
    except PipelineError as error:
        raise DamagedModelError(
            f"{error.message} Train again or restore {version.name}.", **error.extra
        ) from error
    model.extractor.cache = feature_cache()
    return model


def forget_loaded() -> None:
    """Let go of what `load_version` keeps for whoever asks again."""
    _load.cache_clear()


def load_serving(*, now: datetime) -> tuple[ModelVersion, TrainedModel]:
    """Return the version that classifies now, and its model.

    That is the active one. Where that cannot be loaded, an alarm is raised and the one before it that can be
    serves in its place, until its files are mended or another is promoted.

    Parameters
    ----------
    now : datetime

    Raises
    ------
    NoModelError
        If none is active.
    DamagedModelError
        If neither it nor an earlier one can be loaded.
    """
    active = active_version()
    try:
        model = load_version(version=active)
    except DamagedModelError as error:
        found = _load_earlier(active)
        alarm_damaged(active=active, error=error.message, instead=found[0] if found else None, now=now)
        if found is None:
            raise
        return found
    clear_alarms(kind=Alarm.Kind.MODEL, now=now)
    return active, model


def alarm_damaged(*, active: ModelVersion, error: str, instead: ModelVersion | None, now: datetime) -> None:
    """Raise the alarm that the active version cannot be loaded, and say which one serves instead."""
    words = (
        gettext_noop(
            "The active version %(version)s cannot be loaded, so %(instead)s serves in its place: %(error)s "
            "Or go back to %(instead)s for good: manage.py rollback."
        )
        if instead
        else gettext_noop(
            "The active version %(version)s cannot be loaded, and no earlier one can be, so nothing is "
            "classified: %(error)s"
        )
    )
    facts = {"version": active.name, "error": error} | ({"instead": instead.name} if instead else {})
    raise_alarm(kind=Alarm.Kind.MODEL, about=active.name, sentence=sentence(words, **facts), now=now)


@contextmanager
def stored(*, training: Training, now: datetime) -> Iterator[str]:
    """Write a trained model to disk; its files are gone again unless the block ends well.

    What a process that was killed left half done is cleared away first, with its row.

    Yields
    ------
    str
        The name of the version to be.

    Raises
    ------
    ClassifierError
        If the disk is full or not writable.
    """
    name = f"{now:%Y%m%d-%H%M%S}-{token_hex(2)}"
    try:
        tidy()
        save_model(training.model, folder_of(name=name))
    except OSError as error:
        raise ClassifierError(
            _(
                "The model could not be written to %(folder)s: %(error)s. Free some space, or keep fewer old "
                "versions (VERSIONS_KEPT), and train again. What was active goes on serving."
            )
            % {"folder": settings.MODELS_DIR, "error": error},
        ) from error
    with confirmed(name=name):
        yield name


def keep_version(
    *, name: str, training: Training, seed: int, run: Run | None, now: datetime, **about: Any
) -> ModelVersion:
    """Note a model that was `stored` as a candidate, with its parent, profile, comparison and verdict."""
    return ModelVersion.objects.create(
        name=name,
        created_at=now,
        seed=seed,
        config=training.model.config.to_dict(),
        metrics=training.figures,
        trained_by=run,
        fingerprint=run.fingerprint if run else "",
        **about,
    )


def _load_earlier(active: ModelVersion) -> tuple[ModelVersion, TrainedModel] | None:
    served = ModelVersion.objects.filter(state=ModelVersion.State.RETIRED, pruned_at=None)
    for version in [*earlier_versions(version=active), *served.order_by("-activated_at")]:
        try:
            return version, load_version(version=version)
        except DamagedModelError:
            continue
    return None


@lru_cache(maxsize=2)  # the active version, and the one it is compared with
def _load(folder: Path) -> TrainedModel:
    return load_model(folder)
