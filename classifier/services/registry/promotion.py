"""Which version classifies: promoted, rolled back, pinned.

Each is one transaction on a handful of rows, taken with all of them locked, so that two at once, or one
beside the pruning, come one after the other. Processes read the row each time they classify.

A promotion remembers what it replaced; a rollback goes there and remembers nothing. So a second rollback goes
one further back, to what that one had replaced. Versions that were promoted by turns are each other's
predecessor, and rolling back goes to and fro between them.
"""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.errors import DamagedModelError, NoModelError, PromotionRefusedError
from classifier.models import Alarm, ModelVersion
from classifier.services.registry.alarms import clear_alarms
from classifier.services.registry.storage import check_files

State = ModelVersion.State


def active_version() -> ModelVersion:
    """Return the version that classifies.

    Raises
    ------
    NoModelError
        If nothing has been trained or promoted yet.
    """
    version = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    if version is not None:
        return version
    if candidate := ModelVersion.objects.filter(pruned_at=None).first():
        raise NoModelError(
            _("No version of the model is active. Promote one: manage.py promote %s") % candidate.name
        )
    raise NoModelError(_("There is no trained model yet. Train one first: manage.py train"))


def promote(*, version: ModelVersion, now: datetime) -> ModelVersion:
    """Make a version the one that classifies; promoting the active one changes nothing.

    Parameters
    ----------
    version : ModelVersion
        One whose files are there. A person may promote what did not pass the gate.
    now : datetime

    Returns
    -------
    ModelVersion
        As it is then.

    Raises
    ------
    PromotionRefusedError
        If the setting ``PROMOTION`` is ``never``, or the version's files were deleted by the rule.
    DamagedModelError
        If its files are missing or altered; what was active stays it.
    """
    if settings.PROMOTION == "never":
        raise PromotionRefusedError(
            _("This installation keeps the version it has: the setting PROMOTION is “never”.")
        )
    with transaction.atomic():
        rows = _locked()
        chosen = rows.get(version.pk)
        if chosen is None:
            raise NoModelError(_("There is no model version %s any more.") % version.name)
        if chosen.active:
            return chosen
        if chosen.pruned_at:
            raise PromotionRefusedError(
                _("The files of %(version)s were deleted on %(day)s. Choose another, or train again.")
                % {"version": chosen.name, "day": f"{chosen.pruned_at:%Y-%m-%d}"}
            )
        check_files(version=chosen)
        active = _active(rows)
        chosen.previous = active
        return _hand_over(active, chosen, now)


def rollback(*, now: datetime) -> ModelVersion:
    """Make the version active again that the active one replaced; where its files are gone, the one before.

    Allowed whatever the setting ``PROMOTION`` says.

    Returns
    -------
    ModelVersion
        The one that is active now.

    Raises
    ------
    NoModelError
        If nothing is active, or there is nothing to go back to.
    """
    with transaction.atomic():
        rows = _locked()
        active = _active(rows)
        if active is None:
            raise NoModelError(_("No version is active, so there is nothing to roll back."))
        for earlier in _before(active, rows):
            try:
                check_files(version=earlier)
            except DamagedModelError:
                continue
            return _hand_over(active, earlier, now)
        raise NoModelError(
            _("There is no version before %s whose files are still there.") % active.name, version=active.name
        )


@transaction.atomic
def pin(*, version: ModelVersion, pinned: bool) -> ModelVersion:
    """Keep a version's files for ever, or leave them to the rule again.

    Raises
    ------
    PromotionRefusedError
        If its files were deleted already.
    """
    chosen = _locked()[version.pk]
    if chosen.pruned_at:
        raise PromotionRefusedError(_("The files of %s were deleted already.") % chosen.name)
    chosen.pinned = pinned
    chosen.save(update_fields=["pinned"])
    return chosen


def earlier_versions(*, version: ModelVersion) -> list[ModelVersion]:
    """Return the versions that a rollback from this one would try, in that order."""
    return list(_before(version, {row.pk: row for row in ModelVersion.objects.all()}))


def _locked() -> dict[int, ModelVersion]:
    return {row.pk: row for row in ModelVersion.objects.select_for_update().order_by("pk")}


def _active(rows: dict[int, ModelVersion]) -> ModelVersion | None:
    return next((row for row in rows.values() if row.active), None)


def _before(version: ModelVersion, rows: dict[int, ModelVersion]) -> Iterator[ModelVersion]:
    seen = {version.pk}
    pk = version.previous_id
    while pk is not None and pk not in seen:
        seen.add(pk)
        row = rows[pk]
        if row.pruned_at is None:
            yield row
        pk = row.previous_id


def _hand_over(active: ModelVersion | None, to: ModelVersion, now: datetime) -> ModelVersion:
    if active is not None:
        active.state = State.RETIRED
        active.save(update_fields=["state"])
    to.state, to.activated_at = State.ACTIVE, now
    to.save(update_fields=["state", "activated_at", "previous"])
    clear_alarms(kind=Alarm.Kind.MODEL, now=now)  # its files have just been read
    return to
