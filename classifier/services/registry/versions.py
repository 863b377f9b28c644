"""Model versions: stored after training, loaded to classify."""

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
from classifier.messages import message
from classifier.models import Alert, ModelVersion, Run
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.training.train import TrainingResult
from classifier.services.feature_cache import feature_cache
from classifier.services.registry.alerts import clear_alerts, raise_alert
from classifier.services.registry.promotion import active_version, earlier_versions
from classifier.services.registry.storage import clean_up, confirmed, folder_of


def version_by_name(name: str) -> ModelVersion:
    """Return the version with this name; raises `NoModelError`, which lists the newest ones."""
    version = ModelVersion.objects.filter(name=name).first()
    if version is None:
        newest = ", ".join(ModelVersion.objects.values_list("name", flat=True)[:5]) or "none"
        raise NoModelError(f"There is no model version {name}. Newest: {newest}.")
    return version


def load_version(*, version: ModelVersion) -> TrainedModel:
    """Load the model of a version; a process caches the last two. Raises `DamagedModelError`."""
    try:
        model = _load(folder_of(name=version.name))
    except PipelineError as error:
        raise DamagedModelError(
            f"{error.message} Train again or restore {version.name}.", **error.extra
        ) from error
    model.extractor.cache = feature_cache()
    return model


def clear_loaded() -> None:
    """Empty the cache of `load_version`."""
    _load.cache_clear()


def load_serving(*, now: datetime) -> tuple[ModelVersion, TrainedModel]:
    """Return the version that classifies now, and its model.

    If the active version cannot be loaded, an alert is raised and the latest earlier version that loads is
    used, until the files are repaired or another version is promoted.

    Raises
    ------
    NoModelError
        If no version is active.
    DamagedModelError
        If none can be loaded.
    """
    active = active_version()
    try:
        model = load_version(version=active)
    except DamagedModelError as error:
        earlier = _load_earlier(active)
        instead = earlier[0] if earlier else None
        raise_damaged_alert(active=active, error=error.message, instead=instead, now=now)
        if earlier is None:
            raise
        return earlier
    clear_alerts(kind=Alert.Kind.MODEL, now=now)
    return active, model


def raise_damaged_alert(
    *, active: ModelVersion, error: str, instead: ModelVersion | None, now: datetime
) -> None:
    """Raise the alert that the active version cannot be loaded and `instead` is used."""
    text = (
        gettext_noop(
            "The active version %(version)s cannot be loaded, so %(instead)s is used instead: "
            "%(error)s Alternatively, make %(instead)s the active version: manage.py "
            "rollback_model."
        )
        if instead
        else gettext_noop(
            "Neither the active version %(version)s nor any earlier version can be loaded, so no "
            "books are classified: %(error)s"
        )
    )
    facts = {"version": active.name, "error": error} | ({"instead": instead.name} if instead else {})
    raise_alert(kind=Alert.Kind.MODEL, about=active.name, message=message(text, **facts), now=now)


@contextmanager
def stored_model(*, training: TrainingResult, now: datetime) -> Iterator[str]:
    """Write a trained model to disk and yield its new name; its files are deleted if the block raises.

    Leftovers of killed processes are deleted first, with their rows.

    Raises
    ------
    ClassifierError
        If the disk is full or not writable.
    """
    name = f"{now:%Y%m%d-%H%M%S}-{token_hex(2)}"
    try:
        clean_up()
        save_model(training.model, folder_of(name=name))
    except OSError as error:
        raise ClassifierError(
            _(
                "The model could not be saved to %(folder)s (%(error)s); the active version is "
                "unchanged. Free up disk space or lower MODEL_VERSIONS_TO_KEEP, then train again."
            )
            % {"folder": settings.MODELS_DIR, "error": error},
        ) from error
    with confirmed(name=name):
        yield name


def create_version(
    *, name: str, training: TrainingResult, seed: int, run: Run | None, now: datetime, **fields: Any
) -> ModelVersion:
    """Create the row of a `stored_model` as a candidate, with its parent, profile, comparison and verdict."""
    return ModelVersion.objects.create(
        name=name,
        created_at=now,
        seed=seed,
        config=training.model.config.to_dict(),
        metrics=training.metrics,
        trained_by=run,
        fingerprint=run.fingerprint if run else "",
        **fields,
    )


def _load_earlier(active: ModelVersion) -> tuple[ModelVersion, TrainedModel] | None:
    retired = ModelVersion.objects.filter(state=ModelVersion.State.RETIRED, pruned_at=None)
    for version in [*earlier_versions(version=active), *retired.order_by("-activated_at")]:
        try:
            return version, load_version(version=version)
        except DamagedModelError:
            continue
    return None


@lru_cache(maxsize=2)  # the active version, and the one it is compared with
def _load(folder: Path) -> TrainedModel:
    return load_model(folder)
