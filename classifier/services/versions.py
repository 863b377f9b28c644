"""Versions of the model: kept for ever as they were trained, one of them active."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.db import transaction

from classifier.errors import ClassifierError, NoModelError
from classifier.models import ModelVersion
from classifier.pipeline.artifact import TrainedModel, load_model, save_model
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.folder import UNFINISHED
from classifier.pipeline.training import Training
from classifier.services.features import feature_cache


def active_version() -> ModelVersion:
    """Return the version that classifies.

    Raises
    ------
    NoModelError
        If nothing has been trained yet.
    """
    version = ModelVersion.objects.filter(active=True).first()
    if version is None:
        raise NoModelError("There is no trained model yet. Train one first: manage.py train")
    return version


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
    ClassifierError
        If its files are missing or altered.
    """
    try:
        model = _load(folder_of(name=version.name))
    except PipelineError as error:
        raise ClassifierError(
            f"{error.message} Train again or restore {version.name}.", **error.extra
        ) from error
    model.extractor.cache = feature_cache()
    return model


def folder_of(*, name: str) -> Path:
    """Return where a version's files are."""
    return Path(settings.MODELS_DIR) / name


@contextmanager
def stored(*, training: Training, now: datetime) -> Iterator[str]:
    """Write a trained model to disk; its files are gone again unless the block ends well.

    What a process that was killed left half done is cleared away first: only one trains at a time.

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
        _clear_away()
        save_model(training.model, folder_of(name=name))
    except OSError as error:
        raise ClassifierError(f"The model could not be written to {settings.MODELS_DIR}: {error}.") from error
    try:
        yield name
    except BaseException:
        shutil.rmtree(folder_of(name=name), ignore_errors=True)
        raise


def keep_version(*, name: str, training: Training, seed: int, now: datetime) -> ModelVersion:
    """Note a model that was `stored` as a version that is not active yet."""
    return ModelVersion.objects.create(
        name=name,
        created_at=now,
        seed=seed,
        config=training.model.config.to_dict(),
        metrics=training.figures,
    )


@transaction.atomic
def activate(*, version: ModelVersion) -> None:
    """Make a version the one that classifies."""
    ModelVersion.objects.filter(active=True).update(active=False)
    version.active = True
    version.save(update_fields=["active"])


def no_worse(*, candidate: dict[str, Any], active: dict[str, Any]) -> bool:
    """Say whether a candidate's fused accuracy is at least the active version's."""
    return bool(candidate["fused"]["accuracy"] >= active["fused"]["accuracy"])


@lru_cache(maxsize=2)  # the active version, and the one it is compared with
def _load(folder: Path) -> TrainedModel:
    return load_model(folder)


def _clear_away() -> None:
    """Delete half-written models; whole ones stay, for the database may be an older copy of itself."""
    for left in Path(settings.MODELS_DIR).glob(f"{UNFINISHED}*"):
        shutil.rmtree(left)
