"""Whether a run would only do again what the last one did."""

from datetime import datetime
from typing import Any

from classifier.errors import ClassifierError
from classifier.models import MapPoint, ModelVersion, Recommendation, Run, Suggestion, TitleLinks
from classifier.services.fingerprints import fingerprint_of
from classifier.services.registry.versions import load_version


def last_alike(*, run: Run, now: datetime) -> Run | None:
    """Note what a run reads; return the last run of its kind if that read the same, and its work stands.

    Parameters
    ----------
    run : Run
    now : datetime
    """
    run.fingerprint = fingerprint_of(kind=run.kind, parameters=run.parameters, now=now)
    Run.objects.filter(pk=run.pk).update(fingerprint=run.fingerprint)
    # Whatever came of it: one that was cancelled may have written a part.
    started = Run.objects.filter(kind=run.kind, unchanged_since=None, attempt__gt=0).exclude(pk=run.pk)
    last = started.order_by("-finished_at", "-pk").first()
    if last is None or last.status != Run.Status.SUCCEEDED or last.fingerprint != run.fingerprint:
        return None
    return last if _stands(last) else None


def in_short(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return what a run keeps of what its service returned."""
    if kind == Run.Kind.TRAIN:
        # The version has them all.
        return result | {"metrics": result["metrics"]["fused"]}
    if kind == Run.Kind.RECLASSIFY:
        return result | {"rows": Suggestion.objects.count()}
    return result


def in_full(run: Run) -> dict[str, Any]:
    """Return what the service of a run returned."""
    if run.kind == Run.Kind.TRAIN:
        return run.result | {"metrics": ModelVersion.objects.get(name=run.result["version"]).metrics}
    return {name: value for name, value in run.result.items() if name != "rows"}


def _stands(run: Run) -> bool:
    """Say whether what a run wrote is still there: somebody may have deleted it, or a disk damaged it."""
    result = run.result
    if run.kind == Run.Kind.TRAIN:
        try:
            load_version(version=ModelVersion.objects.get(name=result["version"]))
        except (ModelVersion.DoesNotExist, ClassifierError):
            return False
        return True
    if run.kind == Run.Kind.TUNE:
        return bool(result["stopped"] == "trials")  # else a search that was cut short goes on
    if run.kind == Run.Kind.RECLASSIFY:
        # Another version may have served in the place of the active one while that was damaged.
        is_active = ModelVersion.objects.filter(name=result["version"], state="active").exists()
        return is_active and bool(result["rows"] == Suggestion.objects.count())
    if run.kind == Run.Kind.DRAW_MAP:
        return MapPoint.objects.filter(model_version__name=result["version"]).count() == result["books"]
    if run.kind in (Run.Kind.ORDER_REVIEWS, Run.Kind.UNDO):
        return False  # reviews and loans come all day; what is undone cannot be undone again
    kept = Recommendation.objects.count(), TitleLinks.objects.count()
    return kept == (result["recommendations"], result.get("linked_titles"))
