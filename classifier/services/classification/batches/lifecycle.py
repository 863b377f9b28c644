"""Life of a batch up to its completion: opened and split into chunks, which workers take and close.

No worker owns a chunk: if one is slow or dead, another processes its chunk too, and the first to close it
counts. Closing is one UPDATE in the transaction that writes the rows, so a killed worker leaves nothing to
clean up, and a chunk processed twice leaves the rows of one worker.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from classifier.errors import ClassifierError
from classifier.models import Batch, Change, Chunk, ModelVersion, Run
from library.errors import ConflictError

MAX_CHUNK = 4096
"""Books; bounds the memory on any catalogue."""
MIN_CHUNK = 256
"""Books; below this the fixed cost of a chunk (reading the loan matrix) exceeds what parallelism saves."""
MIN_CHUNKS = 16
"""Chunks per batch where `MIN_CHUNK` allows: the last one must not take long."""
_BOOKS_PER_SLICE = 500  # bounds the memory and the size of a statement


class BatchStateError(ConflictError):
    """The batch is in a state that does not allow the action."""


class NoBatchError(ClassifierError):
    """No batch has this number."""


@transaction.atomic
def open_batch(
    *,
    version: ModelVersion,
    books: Sequence[int],
    precision: float,
    state: str,
    now: datetime,
    run: Run | None = None,
) -> Batch:
    """Create a proposed or applied batch and split it into chunks; `books` are primary keys."""
    batch = Batch.objects.create(
        run=run, model_version=version, state=state, created_at=now, precision=precision, books=len(books)
    )
    split_batch(batch=batch, books=books)
    return batch


def split_batch(*, batch: Batch, books: Sequence[int]) -> int:
    """Split the books (primary keys) of a batch into chunks; return the number of chunks."""
    size = min(MAX_CHUNK, max(MIN_CHUNK, -(-len(books) // MIN_CHUNKS)))
    parts = [books[start : start + size] for start in range(0, len(books), size)]
    Chunk.objects.bulk_create(
        Chunk(batch=batch, number=number, book_ids=list(part), size=len(part))
        for number, part in enumerate(parts)
    )
    return len(parts)


def take_chunk(*, batch: Batch, now: datetime) -> Chunk | None:
    """Return a chunk that no worker has taken; None if there is none."""
    free = batch.chunks.filter(taken_at=None, done_at=None).order_by("number")
    while chunk := free.first():
        if Chunk.objects.filter(pk=chunk.pk, taken_at=None).update(taken_at=now):
            return chunk
    return None


def overdue_chunk(*, batch: Batch, before: datetime) -> Chunk | None:
    """Return the unfinished chunk that was taken first, if that was before the given time."""
    late = batch.chunks.filter(done_at=None, taken_at__lt=before)
    return late.order_by("taken_at", "number").first()


def close_chunk(*, chunk: Chunk, now: datetime) -> bool:
    """Mark a chunk as done, in the transaction that writes its rows; return whether the rows are wanted.

    They are not if another worker was faster, the batch has ended, or its run is being cancelled.
    """
    unfinished = Chunk.objects.filter(pk=chunk.pk, done_at=None, batch__in=active_batches())
    return bool(unfinished.update(done_at=now))


def active_batches() -> QuerySet[Batch]:
    """Return the batches that workers may process: incomplete, and without a run or with an active one."""
    wanted = Q(run=None) | Q(run__status__in=Run.ACTIVE, run__cancel_requested=False)
    return Batch.objects.filter(wanted, complete=False)


def complete_batch(*, batch: Batch) -> None:
    """Mark a batch as complete, with the number of changes by kind, and delete its chunks."""
    batch.complete, batch.changed = True, count_changes(batch=batch)
    batch.save(update_fields=["complete", "changed"])
    batch.chunks.all().delete()


def delete_abandoned_chunks() -> None:
    """Delete the chunks of runs that were cancelled or have failed."""
    Chunk.objects.exclude(batch__run=None).exclude(batch__run__status__in=Run.ACTIVE).delete()


def done_books(*, batch: Batch) -> int:
    """Return the number of books in finished chunks."""
    return batch.chunks.exclude(done_at=None).aggregate(books=Sum("size"))["books"] or 0


def count_suggestions(*, batch: Batch) -> dict[str, int]:
    """Return ``suggestions`` written by the chunks, and ``abstained``: books with low-confidence ones."""
    counts = batch.chunks.aggregate(suggestions=Sum("suggestions"), abstained=Sum("abstained"))
    return {name: count or 0 for name, count in counts.items()}


def count_changes(*, batch: Batch) -> dict[str, int]:
    """Return the number of changed books by `Change.Kind`."""
    changed = batch.changes.exclude(kind=Change.Kind.SAME).order_by("kind")
    return dict(changed.values_list("kind").annotate(Count("pk")))


def lock_applied(*, batch: Batch) -> Batch:
    """Lock a batch for this transaction; raises `BatchStateError` unless it is in effect and processed."""
    batch = Batch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
    if batch.state == Batch.State.PROPOSED:
        raise BatchStateError(
            _("%s is only a proposal and changed nothing. Promote the version and classify first.") % batch
        )
    if batch.state == Batch.State.UNDONE:
        raise BatchStateError(_("%s is already undone.") % batch)
    if not batch.complete and batch.run is not None and batch.run.status in Run.ACTIVE:
        raise BatchStateError(
            _("%(batch)s is still running. Wait for job %(run)s to finish, or cancel it.")
            % {"batch": batch, "run": batch.run_id}
        )
    return batch


def book_slices(changes: QuerySet[Change]) -> Iterator[list[int]]:
    """Yield the books of changes in slices, always in the same order, so that writers cannot deadlock."""
    last = 0
    while books := list(
        changes.filter(book__gt=last).order_by("book").values_list("book", flat=True)[:_BOOKS_PER_SLICE]
    ):
        yield books
        last = books[-1]
