"""Promotion, rollback and pinning of model versions.

Each transaction locks all versions, a handful of rows, so concurrent ones, and pruning, run one after the
other. A promotion records the version that it replaced; a rollback returns to it and records nothing, so a
second one goes one version further back. Versions that were promoted by turns are each other's predecessors,
and rollbacks alternate between them.
"""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.errors import DamagedModelError, NoModelError, PromotionRefusedError
from classifier.models import Alert, ModelVersion
from classifier.services.registry.alerts import clear_alerts
from classifier.services.registry.storage import check_files

State = ModelVersion.State


def active_version() -> ModelVersion:
    """Return the version that classifies; raises `NoModelError` if nothing has been promoted yet."""
    version = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    if version is not None:
        return version
    if candidate := ModelVersion.objects.filter(pruned_at=None).first():
        raise NoModelError(
            _("No model version is active. Promote one: manage.py promote_model %s") % candidate.name
        )
    raise NoModelError(_("No trained model is available. Train one first: manage.py train"))


def promote(*, version: ModelVersion, now: datetime) -> ModelVersion:
    """Make a version the active one, even if it did not pass the quality check, and return it.

    Raises
    ------
    PromotionRefusedError
        If the setting ``PROMOTION`` is ``never``, or the version's files were pruned.
    NoModelError
        If the version no longer exists.
    DamagedModelError
        If its files are missing or altered; the active version stays.
    """
    if settings.PROMOTION == "never":
        raise PromotionRefusedError(_("PROMOTION is set to “never”, so versions cannot be promoted."))
    with transaction.atomic():
        rows = _locked()
        chosen = rows.get(version.pk)
        if chosen is None:
            raise NoModelError(_("Model version %s no longer exists.") % version.name)
        if chosen.active:
            return chosen
        if chosen.pruned_at:
            raise PromotionRefusedError(
                _("The files of %(version)s were deleted on %(day)s. Choose another version, or train again.")
                % {"version": chosen.name, "day": f"{chosen.pruned_at:%Y-%m-%d}"}
            )
        check_files(version=chosen)
        active = _active(rows)
        chosen.previous = active
        return _activate(active, chosen, now)


def rollback(*, now: datetime) -> ModelVersion:
    """Activate the latest usable version that the active one replaced, whatever ``PROMOTION`` is.

    Raises
    ------
    NoModelError
        If no version is active, or there is none to return to.
    """
    with transaction.atomic():
        rows = _locked()
        active = _active(rows)
        if active is None:
            raise NoModelError(_("No version is active, so there is nothing to roll back."))
        for earlier in _predecessors(active, rows):
            try:
                check_files(version=earlier)
            except DamagedModelError:
                continue
            return _activate(active, earlier, now)
        raise NoModelError(
            _("Cannot roll back: no version before %s has usable files.") % active.name, version=active.name
        )


@transaction.atomic
def pin(*, version: ModelVersion, pinned: bool) -> ModelVersion:
    """Exempt a version from pruning, or no longer; `PromotionRefusedError` if its files have been deleted."""
    chosen = _locked()[version.pk]
    if chosen.pruned_at:
        raise PromotionRefusedError(_("The files of %s have already been deleted.") % chosen.name)
    chosen.pinned = pinned
    chosen.save(update_fields=["pinned"])
    return chosen


def earlier_versions(*, version: ModelVersion) -> list[ModelVersion]:
    """Return the versions that a rollback from this one would try, in order."""
    return list(_predecessors(version, {row.pk: row for row in ModelVersion.objects.all()}))


def _locked() -> dict[int, ModelVersion]:
    return {row.pk: row for row in ModelVersion.objects.select_for_update().order_by("pk")}


def _active(rows: dict[int, ModelVersion]) -> ModelVersion | None:
    return next((row for row in rows.values() if row.active), None)


def _predecessors(version: ModelVersion, rows: dict[int, ModelVersion]) -> Iterator[ModelVersion]:
    seen = {version.pk}
    pk = version.previous_id
    while pk is not None and pk not in seen:
        seen.add(pk)
        row = rows[pk]
        if row.pruned_at is None:
            yield row
        pk = row.previous_id


def _activate(active: ModelVersion | None, to: ModelVersion, now: datetime) -> ModelVersion:
    if active is not None:
        active.state = State.RETIRED
        active.save(update_fields=["state"])
    to.state, to.activated_at = State.ACTIVE, now
    to.save(update_fields=["state", "activated_at", "previous"])
    clear_alerts(kind=Alert.Kind.MODEL, now=now)  # its files have just been checked
    return to
