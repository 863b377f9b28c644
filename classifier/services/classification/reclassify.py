"""Classifying books: the active version's suggestions, and what another version would suggest."""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from classifier.errors import SettingError
from classifier.models import Chunk, ModelVersion, Reclassification, Run, Suggestion
from classifier.selectors.records import all_books, unsettled_books
from classifier.services.atomic_file import written_whole
from classifier.services.classification import chunks
from classifier.services.classification.chunk_worker import Help, Reader, no_help, work_off
from classifier.services.classification.label_errors import find_misfiled
from classifier.services.registry.versions import load_serving
from classifier.services.runs.heartbeat import Finish, no_finish
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.tabular import CsvWriter

_COLUMNS = ["book", "rank", "category", "probability", "model_version", "abstained"]


def classify(
    *,
    now: datetime,
    include_categorised: bool = False,
    afresh: bool = False,
    output: Path | None = None,
    precision: float | None = None,
    run: Run | None = None,
    call_help: Help = no_help,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
    clock: Callable[[], datetime] = timezone.now,
) -> dict[str, Any]:
    """Suggest categories with the active version, each with its evidence.

    Only books that are new, that were changed, or whose neighbours' loans were (`services.staleness`); after
    a promotion these are all. Suggestions are rows beside the book; no book's category changes. Of a book
    that the model is not sure enough of they are marked as abstained: best guesses, and no suggestion. What
    it does is kept as a batch that can be undone. Rows are replaced chunk by chunk, those of a book all at
    once, so a run that is cut off leaves each book with its old rows or its new ones, and one that is taken
    up again goes on with the chunks that are not done.

    Parameters
    ----------
    now : datetime
    include_categorised : bool
        Every book, not only those that no person and no import has filed.
    afresh : bool
        Those that have not changed too.
    output : Path, optional
        A CSV file for the suggestions of all these books, also of those that have not changed: book, rank,
        category, probability, model_version, abstained (1 or 0). It is there whole or not at all.
    precision : float, optional
        Wanted share of right answers among those given, above 0 and below 1; left out, the setting
        ``SUGGESTION_PRECISION``.
    run : Run, optional
        Which does it.
    call_help : callable
        Told of the batch when there is something to do for other processes.
    progress, finish : callable
    clock : callable
        Returns the time.

    Returns
    -------
    dict
        ``batch`` (None if no book was stale), ``version``, ``books`` classified, ``suggestions`` kept,
        ``abstained`` (books), ``changed`` (books, by `Change.Kind`), ``misfiled`` (books listed),
        ``precision``, ``threshold`` (probability below which it abstains; None if it always does) and
        ``output``.

    Raises
    ------
    SettingError
        If the precision is no share.
    ClassifierError
        If there is no version, its files are damaged, what it reads books with is missing, or `output`
        cannot be written.
    """
    precision = _checked(precision)
    batch = _begun(run)
    version = batch.model_version if batch else load_serving(now=now)[0]
    reader = Reader.of(version=version, precision=batch.precision if batch else precision)
    scope = all_books() if include_categorised else unsettled_books()
    with written_whole(output) if output else nullcontext() as file:
        if batch is None:
            keys = scope.values_list("pk", flat=True) if afresh else reader.fingerprints.stale(scope)
            batch = _open(reader, keys, precision=precision, run=run, now=now)
        if run:
            # For the estimates of later runs: the catalogue's size says nothing of the few that had changed.
            Run.objects.filter(pk=run.pk).update(size=batch.books if batch else 0)
        if batch:
            call_help(batch.pk, batch.chunks.filter(taken_at=None).count())
            work_off(batch=batch, reader=reader, progress=progress, clock=clock)
        else:
            progress("classifying", 0, 0)
        misfiled = find_misfiled(reader=reader, now=now, progress=progress)
        if file:
            writer = CsvWriter(file)
            writer.writerow(_COLUMNS)
            writer.writerows(_lines(scope))
    result: dict[str, Any] = {
        "batch": batch.pk if batch else None,
        "version": version.name,
        "books": batch.books if batch else 0,
        **(chunks.counts(batch=batch) if batch else {"suggestions": 0, "abstained": 0}),
        "changed": chunks.kinds(batch=batch) if batch else {},
        "misfiled": misfiled,
        "precision": precision,
        "threshold": reader.threshold if math.isfinite(reader.threshold) else None,
        "output": str(output) if output else None,
    }
    with transaction.atomic():
        if batch:
            _complete(batch)
        finish(result)
    return result


def propose(*, version: ModelVersion, now: datetime, progress: Progress = no_progress) -> Reclassification:
    """List the books whose suggestion a version would change, and change nothing.

    Parameters
    ----------
    version : ModelVersion
        Any; what it proposed before is replaced.
    now : datetime
    progress : callable

    Returns
    -------
    Reclassification
        Its changes are the books whose first suggestion would be another, or of other standing.

    Raises
    ------
    SettingError
        If the precision is no share.
    ClassifierError
        If the version's files are damaged or what it reads books with is missing.
    """
    precision = _checked(None)
    reader = Reader.of(version=version, precision=precision)
    books = list(unsettled_books().values_list("pk", flat=True))
    with transaction.atomic():
        version.reclassifications.filter(state=Reclassification.State.PROPOSED).delete()
        batch = chunks.open_batch(
            version=version, books=books, precision=precision, state=Reclassification.State.PROPOSED, now=now
        )
    work_off(batch=batch, reader=reader, progress=progress)
    with transaction.atomic():
        _complete(batch)
    return batch


def _checked(precision: float | None) -> float:
    if precision is None:
        precision = settings.SUGGESTION_PRECISION
    if not 0 < precision < 1:
        raise SettingError(
            f"The precision is {precision:g}; it must be above 0 and below 1.", precision=str(precision)
        )
    return precision


def _begun(run: Run | None) -> Reclassification | None:
    """Return the batch that an earlier attempt of the run began."""
    if run is None:
        return None
    return run.reclassifications.select_related("model_version").first()


def _open(
    reader: Reader, keys: Iterable[int], *, precision: float, run: Run | None, now: datetime
) -> Reclassification | None:
    """Decide once what a batch is about; None if it is about nothing."""
    # What a run that was cancelled or failed left to do is no longer to be done.
    Chunk.objects.exclude(reclassification__run=None).exclude(
        reclassification__run__status__in=Run.ACTIVE
    ).delete()
    books = list(keys)
    if not books:
        return None
    return chunks.open_batch(
        version=reader.version,
        books=books,
        precision=precision,
        state=Reclassification.State.APPLIED,
        run=run,
        now=now,
    )


def _complete(batch: Reclassification) -> None:
    batch.complete, batch.changed = True, chunks.kinds(batch=batch)
    batch.save(update_fields=["complete", "changed"])
    batch.chunks.all().delete()


def _lines(books: QuerySet[Book]) -> Iterable[list[object]]:
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
