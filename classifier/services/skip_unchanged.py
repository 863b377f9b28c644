"""Detection of runs that would only repeat the previous one."""

from datetime import datetime
from typing import Any

from classifier.errors import ClassifierError
from classifier.models import ItemNeighbours, MapPoint, ModelVersion, Recommendation, Run, Suggestion
from classifier.services.fingerprints import fingerprint_of
from classifier.services.registry.versions import load_version


def previous_identical_run(*, run: Run, now: datetime) -> Run | None:
    """Store the fingerprint of a run; return the previous run if it read the same and its results exist."""
    run.fingerprint = fingerprint_of(kind=run.kind, parameters=run.parameters, now=now)
    Run.objects.filter(pk=run.pk).update(fingerprint=run.fingerprint)
    # Of any outcome: a run that was cancelled may have written a part of its results.
    started = Run.objects.filter(kind=run.kind, unchanged_since=None, attempt__gt=0).exclude(pk=run.pk)
    previous = started.order_by("-finished_at", "-pk").first()
    if (
        previous is None
        or previous.status != Run.Status.SUCCEEDED
        or previous.fingerprint != run.fingerprint
        or not _results_exist(previous)
    ):
        return None
    return previous


def summarise(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return what a run stores of the result of its service."""
    if kind == Run.Kind.TRAIN:
        # The version has them all.
        return result | {"metrics": result["metrics"]["fused"]}
    if kind == Run.Kind.RECLASSIFY:
        return result | {"rows": Suggestion.objects.count()}
    return result


def expand(run: Run) -> dict[str, Any]:
    """Return the result of a run's service: the inverse of `summarise`."""
    result: dict[str, Any] = run.result
    if run.kind == Run.Kind.TRAIN:
        return result | {"metrics": ModelVersion.objects.get(name=result["version"]).metrics}
    return {name: value for name, value in result.items() if name != "rows"}


def _results_exist(run: Run) -> bool:
    """Return whether the results of a run still exist: they may have been deleted or damaged."""
    result: dict[str, Any] = run.result
    if run.kind == Run.Kind.TRAIN:
        try:
            load_version(version=ModelVersion.objects.get(name=result["version"]))
        except (ModelVersion.DoesNotExist, ClassifierError):
            return False
        return True
    if run.kind == Run.Kind.TUNE:
        return bool(result["stopped"] == "trials")  # a search that was stopped early continues
    if run.kind == Run.Kind.RECLASSIFY:
        # Another version may have been used while the active one was damaged.
        is_active = ModelVersion.objects.filter(name=result["version"], state="active").exists()
        return is_active and bool(result["rows"] == Suggestion.objects.count())
    if run.kind == Run.Kind.DRAW_MAP:
        return bool(MapPoint.objects.filter(model_version__name=result["version"]).count() == result["books"])
    if run.kind in (Run.Kind.ORDER_REVIEWS, Run.Kind.UNDO):
        return False  # reviews and loans change all day; an undone batch cannot be undone again
    counts = Recommendation.objects.count(), ItemNeighbours.objects.count()
    return counts == (result["recommendations"], result.get("linked_titles"))
