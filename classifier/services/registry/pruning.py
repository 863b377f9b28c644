"""Pruning of old versions: their files are deleted, their rows and metrics stay."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from classifier.models import ModelVersion
from classifier.services.registry.storage import clean_up, remove_files


def prunable(*, versions: Sequence[ModelVersion], keep: int) -> list[ModelVersion]:
    """Return the versions, of all, whose files may be deleted.

    The active version, the one it replaced and pinned ones are kept; of the others the newest `keep`.
    """
    active = next((version for version in versions if version.active), None)
    protected = {active.pk, active.previous_id} if active else set()
    others = [v for v in versions if not (v.pinned or v.pruned_at or v.pk in protected)]
    others.sort(key=lambda version: (version.created_at, version.pk), reverse=True)
    return others[keep:]


def prune(*, now: datetime, keep: int | None = None) -> list[str]:
    """Delete the files of old versions, and leftovers of killed processes; return the versions' names.

    The rows are marked first, so that such a version can no longer be promoted. A directory that a process is
    reading stays.

    Parameters
    ----------
    keep
        None for the setting ``MODEL_VERSIONS_TO_KEEP``.

    Raises
    ------
    OSError
        If the disk cannot be read or written.
    """
    with transaction.atomic():
        versions = list(ModelVersion.objects.select_for_update().order_by("pk"))
        old = prunable(versions=versions, keep=settings.MODEL_VERSIONS_TO_KEEP if keep is None else keep)
        ModelVersion.objects.filter(pk__in=[version.pk for version in old]).update(pruned_at=now)
    for version in old:
        remove_files(name=version.name)
    clean_up()
    return [version.name for version in old]
