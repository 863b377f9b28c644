"""The workers on a batch: each classifies chunk after chunk, until none is left.

The process that claimed the run works the chunks off one by one, and so does each that comes to help. None
waits for another.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from threading import Event
from typing import Any, Self

from django.db import transaction
from django.utils import timezone

from classifier.errors import ClassifierError
from classifier.models import Chunk, ModelVersion, Reclassification, Suggestion
from classifier.pipeline import suggestion as pipeline
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, LoanTable
from classifier.selectors.records import book_rows, categories_by_key, current_names, loans
from classifier.selectors.reviews import rejected
from classifier.services.classification import changes
from classifier.services.classification.chunks import close, done_books, going_on, overdue, take
from classifier.services.classification.staleness import Fingerprints
from classifier.services.registry.versions import load_version
from library.catalogue.models import Book
from library.catalogue.services import CategoryRetiredError, check_open
from library.console import Progress

RANKS = 3
PATIENCE = timedelta(seconds=10)
"""How long the last chunks are left to who took them, if no chunk took long enough to tell."""
_WAIT = 0.2  # seconds between two looks at the last chunks
Help = Callable[[int, int], None]
"""``call_help(batch_id, chunks)``: tell other workers that there is something to do."""


def no_help(batch_id: int, chunks: int) -> None:
    """Call nobody: the default for services called by one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What a process reads once and classifies all its chunks by."""

    version: ModelVersion
    model: TrainedModel
    loans: LoanTable
    threshold: float
    rejected: dict[str, list[str]]
    current: dict[str, str | None]
    fingerprints: Fingerprints

    @classmethod
    def of(cls, *, version: ModelVersion, precision: float) -> Self:
        """Load a version and the loans of today.

        Raises
        ------
        ClassifierError
            If the version's files are damaged.
        """
        model = load_version(version=version)
        table, never, known = loans()[0], rejected(), categories_by_key()
        return cls(
            version=version,
            model=model,
            loans=table,
            threshold=model.threshold(precision=precision),
            rejected=never,
            current=current_names(model.classes, known=known),
            fingerprints=Fingerprints.of(
                version=version,
                classes=model.classes,
                known=known,
                precision=precision,
                loans=table,
                rejected=never,
            ),
        )


def work_off(
    *,
    batch: Reclassification,
    reader: Reader,
    progress: Progress,
    clock: Callable[[], datetime] = timezone.now,
) -> None:
    """Work on a batch until every chunk is done, whoever does it.

    Parameters
    ----------
    batch : Reclassification
    reader : Reader
    progress : callable
        Told the sum of the books in chunks that are done.
    clock : callable
        Returns the time.
    """
    slowest = PATIENCE
    while True:
        progress("classifying", done_books(batch=batch), batch.books)
        chunk = take(batch=batch, now=clock()) or overdue(batch=batch, before=clock() - 2 * slowest)
        if chunk is not None:
            began = clock()
            do(chunk=chunk, reader=reader, clock=clock)
            slowest = max(slowest, clock() - began)
        elif batch.chunks.filter(done_at=None).exists():
            Event().wait(_WAIT)
        else:
            progress("classifying", batch.books, batch.books)
            return


def help_with(*, batch_id: int, clock: Callable[[], datetime] = timezone.now) -> int:
    """Do chunks that nobody has taken, until there are none; return how many were done.

    Parameters
    ----------
    batch_id : int
        Of a batch that may be over or gone by now.
    clock : callable
        Returns the time.
    """
    batch = going_on().select_related("model_version").filter(pk=batch_id).first()
    if batch is None or not batch.chunks.filter(taken_at=None).exists():
        return 0
    reader = Reader.of(version=batch.model_version, precision=batch.precision)
    done = 0
    while going_on().filter(pk=batch_id).exists() and (chunk := take(batch=batch, now=clock())):
        done += do(chunk=chunk, reader=reader, clock=clock)
    return done


def do(*, chunk: Chunk, reader: Reader, clock: Callable[[], datetime] = timezone.now) -> bool:
    """Classify the books of a chunk and write that down, unless it was done meanwhile or is to be cancelled.

    Parameters
    ----------
    chunk : Chunk
    reader : Reader
    clock : callable
        Returns the time.

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    ClassifierError
        If what books are read with is missing.
    """
    batch = chunk.reclassification
    proposed = batch.state == Reclassification.State.PROPOSED
    books = Book.objects.filter(pk__in=chunk.book_ids).order_by("control_number")
    rows = list(book_rows(books, "pk"))
    part = Catalogue(books=[record for record, _key in rows], loans=reader.loans)
    read = {key: reader.fingerprints.fingerprint(record) for record, key in rows}
    try:
        # What is only proposed needs no reasons, which take longer than the answers.
        suggest = reader.model.suggest if proposed else reader.model.explain
        found = suggest(part, ranks=RANKS, rejected=reader.rejected, current=reader.current)
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    while True:
        try:
            return _write(chunk, reader, found, rows, read, clock)
        except CategoryRetiredError:
            continue  # given up while this was written: its place is known now, and it is written so


def _write(
    chunk: Chunk,
    reader: Reader,
    found: Iterable[pipeline.Suggestion],
    rows: Sequence[tuple[Any, ...]],
    read: Mapping[int, str],
    clock: Callable[[], datetime],
) -> bool:
    batch = chunk.reclassification
    proposed = batch.state == Reclassification.State.PROPOSED
    with transaction.atomic():
        if not close(chunk=chunk, now=clock()):
            return False
        was = changes.locked(books=sorted(read))
        ids = {record.id: key for record, key in rows if key in was.filed}
        new = _new_suggestions(batch=batch, found=found, ids=ids, threshold=reader.threshold)
        if proposed:
            changes.propose(batch=batch, was=was, rows=new)
        else:
            changes.apply(batch=batch, was=was, rows=new, read=read)
        check_open(categories={row.category_id for row in new})
        guesses = sum(row.rank == 1 and row.abstained for row in new)
        Chunk.objects.filter(pk=chunk.pk).update(suggestions=len(new), abstained=guesses)
    return True


def _new_suggestions(
    *, batch: Reclassification, found: Iterable[pipeline.Suggestion], ids: Mapping[str, int], threshold: float
) -> list[Suggestion]:
    """Return the rows to be, unsaved, by book; what was deleted or given up meanwhile is left out."""
    categories = categories_by_key()
    rows: list[Suggestion] = []
    for number, ranked in groupby(found, key=lambda s: s.book):
        # One that was merged while this was classified is what it became, once.
        there = {
            categories[s.category].pk: s
            for s in sorted(ranked, key=lambda s: -s.rank)
            if s.category in categories and number in ids
        }
        known = sorted(there.values(), key=lambda s: s.rank)
        rows.extend(
            Suggestion(
                book_id=ids[number],
                rank=rank,
                category=categories[s.category],
                probability=s.probability,
                model_version_id=batch.model_version_id,
                created_at=batch.made_at,
                abstained=known[0].probability < threshold,
                evidence=s.evidence,
            )
            for rank, s in enumerate(known, start=1)
        )
    return rows
