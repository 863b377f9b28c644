"""Collection map: books as points, similar ones close together."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import MapPoint, ModelVersion
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.projection import project_2d
from classifier.pipeline.records import Catalogue
from classifier.selectors.records import all_books, catalogue
from classifier.services.registry.versions import load_serving
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book
from library.console import Progress

MAX_BOOKS = 3_000
"""Books drawn: with more, the page grows beyond a megabyte and points hide each other."""
_BATCH = 500


def draw_map(context: JobContext, *, seed: int = 0) -> dict[str, Any]:
    """Lay out books on a plane by their encodings of the active version; of a large library a sample.

    The same `seed`, version and library give the same map.

    Returns
    -------
    dict
        ``version`` and ``books`` drawn.

    Raises
    ------
    ClassifierError
        If there is no version, its files are damaged, or a library that a modality needs is missing.
    """
    now, progress = context.now, context.progress
    version, model = load_serving(now=now)
    keys = np.array(all_books().values_list("pk", flat=True), np.int64)  # (n_books,)
    if len(keys) > MAX_BOOKS:
        keys = np.sort(np.random.default_rng(seed).choice(keys, MAX_BOOKS, replace=False))
    library = catalogue(all_books().filter(pk__in=keys.tolist()))
    codes = _codes(model, library, progress=progress)
    progress("computing the layout", 0, 1)
    points = project_2d(codes, seed=seed)
    progress("computing the layout", 1, 1)
    points_by_book = dict(zip((book.id for book in library.books), points.tolist(), strict=True))
    result = {"version": version.name, "books": len(points_by_book)}
    with transaction.atomic():
        _replace(points_by_book, version=version, now=now)
        context.finish(result)
    return result


def _codes(model: TrainedModel, library: Catalogue, *, progress: Progress) -> Any:
    parts = [np.zeros((0, 1), np.float32)] if not library.books else []
    for start in range(0, len(library.books), _BATCH):
        progress("comparing books", start, len(library.books))
        try:
            parts.append(model.codes(replace(library, books=library.books[start : start + _BATCH])))
        except PipelineError as error:
            raise ClassifierError(error.message, **error.extra) from error
    progress("comparing books", 1, 1)
    return np.concatenate(parts)


def _replace(points: dict[str, list[float]], *, version: ModelVersion, now: datetime) -> None:
    books = Book.objects.filter(control_number__in=points).values_list("pk", "control_number")
    MapPoint.objects.all().delete()
    MapPoint.objects.bulk_create(
        [
            MapPoint(
                book_id=pk, model_version=version, x=points[number][0], y=points[number][1], created_at=now
            )
            for pk, number in books
        ],
        batch_size=_BATCH,
    )
