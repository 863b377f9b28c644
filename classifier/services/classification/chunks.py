"""The chunks of a batch: cut once, taken and closed by whoever works on it
(`classifier.services.classification.chunk_worker`).

Nobody owns a chunk: who is too slow with one, or dead, finds that somebody else has done it. What counts is
who closes it first, which is one UPDATE in the transaction of its rows. So there is nothing to take back from
a worker that was killed, and a chunk done twice leaves the rows of one of both.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum

from classifier.models import Change, Chunk, ModelVersion, Reclassification, Run

LARGEST = 4096
"""Books of a chunk at most: bounds the memory on any catalogue."""
SMALLEST = 256
"""Below this, what each chunk costs by itself (reading the loans' matrix) is more than what it saves."""
PIECES = 16
"""Chunks that a batch is cut into at least, down to the smallest: the last one must not be long."""


@transaction.atomic
def open_batch(
    *,
    version: ModelVersion,
    books: Sequence[int],
    precision: float,
    state: str,
    now: datetime,
    run: Run | None = None,
) -> Reclassification:
    """Return a new batch, cut into chunks.

    Parameters
    ----------
    version : ModelVersion
        Which classifies.
    books : sequence of int
        Primary keys of its books.
    precision : float
    state : str
        Proposed or applied: see `Reclassification.State`.
    now : datetime
    run : Run, optional
        Which does it.
    """
    batch = Reclassification.objects.create(
        run=run, model_version=version, state=state, made_at=now, precision=precision, books=len(books)
    )
    cut(batch=batch, books=books)
    return batch


def cut(*, batch: Reclassification, books: Sequence[int]) -> int:
    """Cut a batch into chunks; return how many.

    Parameters
    ----------
    batch : Reclassification
    books : sequence of int
        Primary keys of its books.
    """
    size = min(LARGEST, max(SMALLEST, -(-len(books) // PIECES)))
    parts = [books[start : start + size] for start in range(0, len(books), size)]
    Chunk.objects.bulk_create(
        Chunk(reclassification=batch, number=number, book_ids=list(part), size=len(part))
        for number, part in enumerate(parts)
    )
    return len(parts)


def take(*, batch: Reclassification, now: datetime) -> Chunk | None:
    """Return a chunk that nobody has taken; None if there is none."""
    free = batch.chunks.filter(taken_at=None, done_at=None).order_by("number")
    while chunk := free.first():
        if Chunk.objects.filter(pk=chunk.pk, taken_at=None).update(taken_at=now):
            return chunk
    return None


def overdue(*, batch: Reclassification, before: datetime) -> Chunk | None:
    """Return a chunk that somebody took and should have done by now."""
    late = batch.chunks.filter(done_at=None, taken_at__lt=before)
    return late.order_by("taken_at", "number").first()


def close(*, chunk: Chunk, now: datetime) -> bool:
    """Note that a chunk is done, in the transaction of its rows; return whether these are wanted.

    They are not where somebody else was faster, or the batch is over or to be cancelled.
    """
    open_ones = Chunk.objects.filter(pk=chunk.pk, done_at=None, reclassification__in=going_on())
    return bool(open_ones.update(done_at=now))


def going_on() -> QuerySet[Reclassification]:
    """Return the batches that may still be worked on: those of no run, and of a run that goes on."""
    wanted = Q(run=None) | Q(run__status__in=Run.ACTIVE, run__cancel_requested=False)
    return Reclassification.objects.filter(wanted, complete=False)


def done_books(*, batch: Reclassification) -> int:
    """Return how many books stand in chunks that are done."""
    return batch.chunks.exclude(done_at=None).aggregate(books=Sum("size"))["books"] or 0


def counts(*, batch: Reclassification) -> dict[str, int]:
    """Return how many suggestions the chunks brought, and of how many books they are guesses."""
    found = batch.chunks.aggregate(suggestions=Sum("suggestions"), abstained=Sum("abstained"))
    return {name: count or 0 for name, count in found.items()}


def kinds(*, batch: Reclassification) -> dict[str, int]:
    """Return how many books a batch changed, by `Change.Kind`."""
    changed = batch.changes.exclude(kind=Change.Kind.SAME).order_by("kind")
    return dict(changed.values_list("kind").annotate(Count("pk")))
