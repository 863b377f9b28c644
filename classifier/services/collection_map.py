"""Drawing the map of the collection."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import MapPoint, ModelVersion
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.projection import on_a_plane
from classifier.pipeline.records import Catalogue
from classifier.selectors.records import all_books, catalogue
from classifier.services.registry.versions import load_serving
from classifier.services.runs.heartbeat import Finish, no_finish
from library.catalogue.models import Book
from library.console import Progress, no_progress

MOST = 3_000
"""Books drawn: with more, the page grows beyond a megabyte and points hide each other."""
_BATCH = 500


def draw_map(
    *, now: datetime, seed: int = 0, progress: Progress = no_progress, finish: Finish = no_finish
) -> dict[str, Any]:
    """Put books on a plane, as the active version sees them; of a large library a sample.

    Parameters
    ----------
    now : datetime
    seed : int
        Of the sample and of the plane. Same seed, same version, same library: same map.
    progress, finish : callable

    Returns
    -------
    dict
        ``version`` and ``books`` drawn.

    Raises
    ------
    ClassifierError
        If there is no version, its files are damaged, or what it reads books with is missing.
    """
    version, model = load_serving(now=now)
    keys = np.array(all_books().values_list("pk", flat=True), np.int64)  # (n_books,)
    if len(keys) > MOST:
        keys = np.sort(np.random.default_rng(seed).choice(keys, MOST, replace=False))
    wanted = catalogue(all_books().filter(pk__in=keys.tolist()))
    codes = _codes(model, wanted, progress=progress)
    progress("laying out", 0, 1)
    plane = on_a_plane(codes, seed=seed)
    progress("laying out", 1, 1)
    places = {book.id: place for book, place in zip(wanted.books, plane.tolist(), strict=True)}
    result = {"version": version.name, "books": len(places)}
    with transaction.atomic():
        _replace(places, version=version, now=now)
        finish(result)
    return result


def _codes(model: TrainedModel, wanted: Catalogue, *, progress: Progress) -> Any:
    """Return the books as the model sees them, (n_books, d)."""
    seen = [np.zeros((0, 1), np.float32)] if not wanted.books else []
    for start in range(0, len(wanted.books), _BATCH):
        progress("comparing books", start, len(wanted.books))
        try:
            seen.append(model.codes(replace(wanted, books=wanted.books[start : start + _BATCH])))
        except PipelineError as error:
            raise ClassifierError(error.message, **error.extra) from error
    progress("comparing books", 1, 1)
    return np.concatenate(seen)


def _replace(places: dict[str, list[float]], *, version: ModelVersion, now: datetime) -> None:
    there = Book.objects.filter(control_number__in=places).values_list("pk", "control_number")
    MapPoint.objects.all().delete()
    MapPoint.objects.bulk_create(
        [
            MapPoint(book_id=pk, model_version=version, x=places[number][0], y=places[number][1], made_at=now)
            for pk, number in there
        ],
        batch_size=_BATCH,
    )
