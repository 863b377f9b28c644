"""Old versions: their files are deleted by a rule, their rows and figures stay."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from classifier.models import ModelVersion
from classifier.services.registry.storage import remove_files, tidy


def to_prune(*, versions: Sequence[ModelVersion], keep: int) -> list[ModelVersion]:
    """Return the versions whose files may be deleted.

    Never the active one, what it replaced, or a pinned one; of the others the newest `keep` stay.

    Parameters
    ----------
    versions : sequence of ModelVersion
        All of them.
    keep : int
        0 or more.
    """
    active = next((version for version in versions if version.active), None)
    kept = {active.pk, active.previous_id} if active else set()
    others = [v for v in versions if not (v.pinned or v.pruned_at or v.pk in kept)]
    others.sort(key=lambda version: (version.created_at, version.pk), reverse=True)
    return others[keep:]


def prune(*, now: datetime, keep: int | None = None) -> list[str]:
    """Delete the files of old versions, and what lies about for nothing.

    The rows are marked first, so that nobody promotes them any more. A directory that a process is just
    reading is left, and goes the next time.

    Parameters
    ----------
    now : datetime
    keep : int, optional
        See `to_prune`; left out, the setting ``VERSIONS_KEPT``.

    Returns
    -------
    list of str
        The versions that were marked.

    Raises
    ------
    OSError
        If the disk cannot be read or written.
    """
    with transaction.atomic():
        versions = list(ModelVersion.objects.select_for_update().order_by("pk"))
        old = to_prune(versions=versions, keep=settings.VERSIONS_KEPT if keep is None else keep)
        ModelVersion.objects.filter(pk__in=[version.pk for version in old]).update(pruned_at=now)
    for version in old:
        remove_files(name=version.name)
    tidy()
    return [version.name for version in old]
