"""Workers of a batch: each classifies chunk after chunk until none is left, and none waits for another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from threading import Event
from typing import Any, Self

from django.db import transaction
from django.utils import timezone

from classifier.errors import ClassifierError
from classifier.models import Batch, Chunk, ModelVersion, Suggestion
from classifier.pipeline import suggestion as pipeline
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, LoanTable
from classifier.selectors.records import book_rows, categories_by_key, current_names, loans
from classifier.selectors.reviews import rejected
from classifier.services.classification.batches.changes import apply_changes, lock_books, propose_changes
from classifier.services.classification.batches.lifecycle import (
    active_batches,
    close_chunk,
    done_books,
    overdue_chunk,
    take_chunk,
)
from classifier.services.classification.staleness import Fingerprints
from classifier.services.registry.versions import load_version
from library.catalogue.models import Book
from library.catalogue.services import CategoryRetiredError, check_open
from library.console import Progress

RANKS = 3
MIN_PATIENCE = timedelta(seconds=10)
"""Time the last chunks are left to the workers that took them, if no chunk took longer so far."""
_POLL_SECONDS = 0.2  # between two looks at the last chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """Model, loans and settings that a process loads once and classifies all its chunks with."""

    version: ModelVersion
    model: TrainedModel
    loans: LoanTable
    threshold: float
    rejected: dict[str, list[str]]
    current: dict[str, str | None]
    fingerprints: Fingerprints

    @classmethod
    def load(cls, *, version: ModelVersion, precision: float) -> Self:
        """Load a version and today's loans. Raises `ClassifierError` if the version's files are damaged."""
        model = load_version(version=version)
        loan_table, rejections, categories = loans()[0], rejected(), categories_by_key()
        return cls(
            version=version,
            model=model,
            loans=loan_table,
            threshold=model.threshold(precision=precision),
            rejected=rejections,
            current=current_names(model.classes, categories=categories),
            fingerprints=Fingerprints.of(
                version=version,
                classes=model.classes,
                categories=categories,
                precision=precision,
                loans=loan_table,
                rejected=rejections,
            ),
        )


def process_batch(
    *,
    batch: Batch,
    context: BatchContext,
    progress: Progress,
    clock: Callable[[], datetime] = timezone.now,
) -> None:
    """Process chunks until all are done, by this worker or another; progress counts books in done chunks."""
    slowest = MIN_PATIENCE
    while True:
        progress("classifying", done_books(batch=batch), batch.books)
        chunk = take_chunk(batch=batch, now=clock()) or overdue_chunk(
            batch=batch, before=clock() - 2 * slowest
        )
        if chunk is not None:
            began = clock()
            process_chunk(chunk=chunk, context=context, clock=clock)
            slowest = max(slowest, clock() - began)
        elif batch.chunks.filter(done_at=None).exists():
            Event().wait(_POLL_SECONDS)
        else:
            progress("classifying", batch.books, batch.books)
            return


def assist_batch(*, batch_id: int, clock: Callable[[], datetime] = timezone.now) -> int:
    """Process free chunks of a batch, which may have ended or been deleted; return their number."""
    batch = active_batches().select_related("model_version").filter(pk=batch_id).first()
    if batch is None or not batch.chunks.filter(taken_at=None).exists():
        return 0
    context = BatchContext.load(version=batch.model_version, precision=batch.precision)
    done = 0
    while active_batches().filter(pk=batch_id).exists() and (chunk := take_chunk(batch=batch, now=clock())):
        done += process_chunk(chunk=chunk, context=context, clock=clock)
    return done


def process_chunk(
    *, chunk: Chunk, context: BatchContext, clock: Callable[[], datetime] = timezone.now
) -> bool:
    """Classify the books of a chunk and write the result; `ClassifierError` if a library is missing.

    Returns
    -------
    bool
        False if nothing was written: another worker was faster, or the run is being cancelled.
    """
    proposed = chunk.batch.state == Batch.State.PROPOSED
    books = Book.objects.filter(pk__in=chunk.book_ids).order_by("control_number")
    rows = list(book_rows(books, "pk"))
    records = Catalogue(books=[record for record, _key in rows], loans=context.loans)
    fingerprints = {key: context.fingerprints.fingerprint(record) for record, key in rows}
    try:
        # A proposal needs no evidence, which takes longer to compute than the suggestions.
        suggest = context.model.suggest if proposed else context.model.explain
        suggestions = suggest(records, ranks=RANKS, rejected=context.rejected, current=context.current)
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    while True:
        try:
            return _write(chunk, context, suggestions, rows, fingerprints, clock)
        except CategoryRetiredError:
            continue  # a category was retired in the meantime: the next try writes its replacement


def _write(
    chunk: Chunk,
    context: BatchContext,
    suggestions: Iterable[pipeline.Suggestion],
    rows: Sequence[tuple[Any, ...]],
    fingerprints: Mapping[int, str],
    clock: Callable[[], datetime],
) -> bool:
    batch = chunk.batch
    with transaction.atomic():
        if not close_chunk(chunk=chunk, now=clock()):
            return False
        previous = lock_books(books=sorted(fingerprints))
        ids = {record.id: key for record, key in rows if key in previous.filed}
        new = _new_rows(batch=batch, suggestions=suggestions, ids=ids, threshold=context.threshold)
        if batch.state == Batch.State.PROPOSED:
            propose_changes(batch=batch, previous=previous, rows=new)
        else:
            apply_changes(batch=batch, previous=previous, rows=new, fingerprints=fingerprints)
        check_open(categories={row.category_id for row in new})
        abstained = sum(row.rank == 1 and row.abstained for row in new)
        Chunk.objects.filter(pk=chunk.pk).update(suggestions=len(new), abstained=abstained)
    return True


def _new_rows(
    *,
    batch: Batch,
    suggestions: Iterable[pipeline.Suggestion],
    ids: Mapping[str, int],
    threshold: float,
) -> list[Suggestion]:
    """Return unsaved rows by book, without books and categories that have been deleted or retired."""
    categories = categories_by_key()
    rows: list[Suggestion] = []
    for number, ranked in groupby(suggestions, key=lambda s: s.book):
        # Categories that were merged in the meantime become one, with the better rank.
        by_category = {
            categories[s.category].pk: s
            for s in sorted(ranked, key=lambda s: -s.rank)
            if s.category in categories and number in ids
        }
        current = sorted(by_category.values(), key=lambda s: s.rank)
        rows.extend(
            Suggestion(
                book_id=ids[number],
                rank=rank,
                category=categories[s.category],
                probability=s.probability,
                model_version_id=batch.model_version_id,
                created_at=batch.created_at,
                abstained=current[0].probability < threshold,
                evidence=s.evidence.to_json() if s.evidence else {},
            )
            for rank, s in enumerate(current, start=1)
        )
    return rows
