"""Classification of books by the active version, and proposals of another version."""

import math
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from classifier.errors import SettingError
from classifier.models import Batch, ModelVersion, Run, Suggestion
from classifier.selectors.records import all_books, unsettled_books
from classifier.services.classification.batches import lifecycle
from classifier.services.classification.chunk_worker import BatchContext, process_batch
from classifier.services.classification.label_errors import find_misfiled
from classifier.services.registry.versions import load_serving
from classifier.services.runs.context import JobContext
from library.atomic_file import open_replacement
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.tabular import CsvWriter

_COLUMNS = ["book", "rank", "category", "probability", "model_version", "abstained"]


def classify(
    context: JobContext,
    *,
    include_categorised: bool = False,
    include_unchanged: bool = False,
    output: Path | None = None,
    precision: float | None = None,
) -> dict[str, Any]:
    """Suggest categories with the active version, each with its evidence, as a batch that can be undone.

    Classified are books that are new or have changed, or whose co-borrowed books have (`staleness`); after a
    promotion all. No book's category changes. Suggestions below the confidence threshold are marked as
    abstained. Rows are replaced chunk by chunk, all rows of a book at once: an interrupted run leaves each
    book with its old rows or its new ones, and a resumed run continues with the unfinished chunks.

    Parameters
    ----------
    include_categorised
        Also classify books that a person or an import has filed.
    include_unchanged
        Also classify books that have not changed; a forced run always does.
    output
        CSV file of all books in scope, unchanged ones included: book, rank, category, probability,
        model_version, abstained (1 or 0). It is written whole or not at all.
    precision
        Target, between 0 and 1 exclusive; None for the setting ``SUGGESTION_PRECISION``.

    Returns
    -------
    dict
        ``batch`` (None if no book was stale), ``version``, ``books`` classified, ``suggestions`` written,
        ``abstained`` (books), ``changed`` (books, by `Change.Kind`), ``misfiled`` (books listed),
        ``precision``, ``threshold`` (None if the model always abstains) and ``output``.

    Raises
    ------
    SettingError
        If the precision is out of range.
    ClassifierError
        If there is no version, its files are damaged, a library that a modality needs is missing, or `output`
        cannot be written.
    """
    precision = _checked(precision)
    batch = _resumed(context.run)
    version = batch.model_version if batch else load_serving(now=context.now)[0]
    batch_context = BatchContext.load(version=version, precision=batch.precision if batch else precision)
    scope = all_books() if include_categorised else unsettled_books()
    with open_replacement(output) if output else nullcontext() as file:
        if batch is None:
            if include_unchanged or (context.run and context.run.forced):
                keys: Iterable[int] = scope.values_list("pk", flat=True)
            else:
                keys = batch_context.fingerprints.stale(scope)
            batch = _open(batch_context, keys, precision=precision, context=context)
        if batch:
            context.dispatch_helpers(batch.pk, batch.chunks.filter(taken_at=None).count())
            process_batch(batch=batch, context=batch_context, progress=context.progress, clock=context.clock)
        else:
            context.progress("classifying", 0, 0)
        misfiled = find_misfiled(context=batch_context, now=context.now, progress=context.progress)
        if file:
            writer = CsvWriter(file)
            writer.writerow(_COLUMNS)
            writer.writerows(_csv_rows(scope))
    result: dict[str, Any] = {
        "batch": batch.pk if batch else None,
        "version": version.name,
        "books": batch.books if batch else 0,
        **(lifecycle.count_suggestions(batch=batch) if batch else {"suggestions": 0, "abstained": 0}),
        "changed": lifecycle.count_changes(batch=batch) if batch else {},
        "misfiled": misfiled,
        "precision": precision,
        "threshold": batch_context.threshold if math.isfinite(batch_context.threshold) else None,
        "output": str(output) if output else None,
    }
    with transaction.atomic():
        if batch:
            lifecycle.complete_batch(batch=batch)
        context.finish(result)
    return result


def propose(*, version: ModelVersion, now: datetime, progress: Progress = no_progress) -> Batch:
    """Record the books whose suggestion a version would change, replacing its earlier proposal.

    These are the books whose first suggestion would differ, or would become confident or abstained.

    Raises
    ------
    SettingError
        If the precision in the settings is out of range.
    ClassifierError
        If the version's files are damaged or a library that a modality needs is missing.
    """
    precision = _checked(None)
    batch_context = BatchContext.load(version=version, precision=precision)
    books = list(unsettled_books().values_list("pk", flat=True))
    with transaction.atomic():
        version.batches.filter(state=Batch.State.PROPOSED).delete()
        batch = lifecycle.open_batch(
            version=version, books=books, precision=precision, state=Batch.State.PROPOSED, now=now
        )
    process_batch(batch=batch, context=batch_context, progress=progress)
    with transaction.atomic():
        lifecycle.complete_batch(batch=batch)
    return batch


def _checked(precision: float | None) -> float:
    if precision is None:
        precision = settings.SUGGESTION_PRECISION
    if not 0 < precision < 1:
        raise SettingError(
            f"The precision is {precision:g}; it must be above 0 and below 1.", precision=str(precision)
        )
    return precision


def _resumed(run: Run | None) -> Batch | None:
    if run is None:
        return None
    return run.batches.select_related("model_version").first()


def _open(
    batch_context: BatchContext, keys: Iterable[int], *, precision: float, context: JobContext
) -> Batch | None:
    lifecycle.delete_abandoned_chunks()
    books = list(keys)
    if not books:
        return None
    return lifecycle.open_batch(
        version=batch_context.version,
        books=books,
        precision=precision,
        state=Batch.State.APPLIED,
        run=context.run,
        now=context.now,
    )


def _csv_rows(books: QuerySet[Book]) -> Iterable[list[object]]:
    rows = Suggestion.objects.filter(book__in=books.order_by()).order_by("book__control_number", "rank")
    columns = rows.values_list(
        "book__control_number",
        "rank",
        "category__notation",
        "probability",
        "model_version__name",
        "abstained",
    )
    for number, rank, notation, probability, version, abstained in columns.iterator():
        yield [number, rank, notation, f"{probability:.6f}", version, int(abstained)]
