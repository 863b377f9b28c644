"""What becomes of a batch: accepted in part, or undone as a whole.

What a person or an import decided is never written over. The updates of books themselves say so in their
conditions, whatever was read before them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from classifier.errors import ClassifierError
from classifier.models import (
    TRUSTED_SOURCES,
    Change,
    ModelVersion,
    Reading,
    Reclassification,
    Review,
    Run,
    Suggestion,
)
from classifier.services.classification import changes
from classifier.services.classification.changes import Was
from classifier.services.runs.heartbeat import Finish, no_finish
from classifier.services.runs.pace import TAKING_BACK
from library.catalogue.models import Book
from library.catalogue.selectors.categories import Places, current_places, stands_for
from library.catalogue.services import check_open
from library.console import Progress, no_progress
from library.errors import ConflictError

_AT_ONCE = 500  # books: bounds the memory, and what one statement is given
Key = TypeVar("Key")
Filing = tuple[int | None, str]
"""Primary key of a category, and its source."""


class ReclassificationStateError(ConflictError):
    """What was asked of a batch cannot be done in its state."""


class NoBatchError(ClassifierError):
    """There is no batch of that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """How many of the changes asked for file their books now.

    Attributes
    ----------
    filed : int
    decided : int
        Left out: a person or an import has filed the book.
    unsure : int
        Left out: a guess and no suggestion, none at all, accepted before, or classified again since.
    """

    filed: int
    decided: int
    unsure: int


@transaction.atomic
def accept(
    *,
    batch: Reclassification,
    now: datetime,
    user: User | None = None,
    change_ids: Collection[int] | None = None,
) -> Accepted:
    """File books under what a batch suggests, as the model's categories that somebody let through in bulk.

    Such a category trains no model, and a later batch may say otherwise.

    Parameters
    ----------
    batch : Reclassification
    now : datetime
    user : user, optional
        Who accepts.
    change_ids : collection of int, optional
        Which of the batch's changes; left out, all.

    Raises
    ------
    ReclassificationStateError
        If the batch is a proposal, undone or not done yet.
    """
    batch = _locked(batch)
    if batch.state == Reclassification.State.UNDOING:
        raise ReclassificationStateError(_("%s is being undone.") % batch)
    wanted = batch.changes.all() if change_ids is None else batch.changes.filter(pk__in=change_ids)
    asked = wanted.count()
    sure = wanted.filter(superseded=False, accepted_at=None, to_abstained=False, to_category__isnull=False)
    instead = stands_for()
    sure = sure.exclude(to_category__in=[key for key, there in instead.items() if there is None])
    filed = decided = 0
    for books in _slices(sure):
        was = changes.locked(books=books)
        # Read only now: another batch may have come by.
        some = list(sure.filter(book__in=books))
        free = [change for change in some if _may_file(was, change.book_id)]
        decided += len(some) - len(free)
        to = (
            (instead.get(key, key), change) for change in free if (key := change.to_category_id) is not None
        )
        for category, of in _grouped(to).items():
            # The condition again: what the model says must not get past what a person said, ever.
            filing = Book.objects.filter(pk__in=[change.book_id for change in of])
            filed += filing.exclude(category_source__in=TRUSTED_SOURCES).update(
                category=category, category_source=Book.CategorySource.MODEL
            )
            check_open(categories=[category])
        for change in free:
            change.filed_category_id, change.filed_source = was.filed[change.book_id]
            change.accepted_at, change.accepted_by = now, user
        Change.objects.bulk_update(free, ["filed_category", "filed_source", "accepted_at", "accepted_by"])
    if filed:
        batch.state = Reclassification.State.PARTLY_ACCEPTED
        batch.save(update_fields=["state"])
    return Accepted(filed=filed, decided=decided, unsure=asked - filed - decided)


def undo(
    *,
    batch: Reclassification,
    now: datetime,
    user: User | None = None,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Take a batch back as a whole: suggestions, and categories it set, are what they were before.

    What stays: books that a person or an import has filed or judged since, and those that a later batch has
    classified again. The books are not classified again before something has changed; see
    `classifier.services.classification.staleness`. It is done slice by slice, so that the desk never waits
    for long; cut off, the batch is being undone until this is called again.

    Parameters
    ----------
    batch : Reclassification
    now : datetime
    user : user, optional
        Who undoes it.
    progress, finish : callable

    Returns
    -------
    dict
        ``batch``, ``books`` taken back in all, and of those that stayed how many were ``decided`` by a
        person or an import and how many ``classified_again``.

    Raises
    ------
    ReclassificationStateError
        If the batch is a proposal, undone or not done yet.
    """
    with transaction.atomic():
        batch = _locked(batch)
        batch.state = Reclassification.State.UNDOING
        batch.save(update_fields=["state"])
    versions = set(ModelVersion.objects.values_list("pk", flat=True))
    left = batch.changes.filter(superseded=False, taken_back=False)
    done, decided, total = 0, 0, left.count()
    for books in _slices(left):
        progress(TAKING_BACK, done, total)
        with transaction.atomic():
            was = changes.locked(books=books)
            # Read only now: another batch may have come by.
            some = list(left.filter(book__in=books))
            judged = _rejected_since(batch, books)
            # What was merged since comes back as what it became.
            places = current_places()
            untouched = [
                change
                for change in some
                if was.filed[change.book_id] == _left_as(change, places) and change.book_id not in judged
            ]
            decided += len(some) - len(untouched)
            _take_back(untouched, versions, places)
        done += len(books)
    again = batch.changes.filter(superseded=True, taken_back=False).count()
    kept = {"decided": decided, "classified_again": again}
    result = {"batch": batch.pk, "books": batch.changes.filter(taken_back=True).count(), **kept}
    with transaction.atomic():
        batch.state = Reclassification.State.UNDONE
        batch.undone_at, batch.undone_by, batch.kept = now, user, kept
        batch.save(update_fields=["state", "undone_at", "undone_by", "kept"])
        batch.changes.exclude(before=[]).update(before=[])
        finish(result)
    progress(TAKING_BACK, total, total)
    return result


def undo_numbered(*, batch: int, **how: Any) -> dict[str, Any]:
    """Undo the batch of a number; see `undo`.

    Raises
    ------
    NoBatchError
        If there is none.
    """
    found = Reclassification.objects.filter(pk=batch).first()
    if found is None:
        raise NoBatchError(_("There is no reclassification %s.") % batch)
    return undo(batch=found, **how)


@transaction.atomic
def check_undoable(*, batch: Reclassification) -> None:
    """Refuse at once what `undo` would refuse later.

    Raises
    ------
    ReclassificationStateError
        See `undo`.
    """
    _locked(batch)


def _locked(batch: Reclassification) -> Reclassification:
    """Return a batch that is in effect, and keep others from it."""
    batch = Reclassification.objects.select_for_update(of=("self",)).get(pk=batch.pk)
    if batch.state == Reclassification.State.PROPOSED:
        raise ReclassificationStateError(
            _("%s is a proposal: nothing was changed. Promote the version and classify first.") % batch
        )
    if batch.state == Reclassification.State.UNDONE:
        raise ReclassificationStateError(_("%s is undone already.") % batch)
    if not batch.complete and batch.run is not None and batch.run.status in Run.ACTIVE:
        raise ReclassificationStateError(
            _("%(batch)s is going on: wait for run %(run)s, or cancel it.")
            % {"batch": batch, "run": batch.run_id}
        )
    return batch


def _slices(rows: QuerySet[Change]) -> Iterator[list[int]]:
    """Yield the books of changes: always in the same order, so that no two wait for each other."""
    after = 0
    while some := list(
        rows.filter(book__gt=after).order_by("book").values_list("book", flat=True)[:_AT_ONCE]
    ):
        yield some
        after = some[-1]


def _may_file(was: Was, book: int) -> bool:
    return was.filed[book][1] not in TRUSTED_SOURCES


def _left_as(change: Change, places: Places) -> Filing:
    """Return how a book is filed unless somebody has decided since."""
    if change.accepted_at:
        return _placed(change.to_category_id, Book.CategorySource.MODEL, places)
    return _placed(change.filed_category_id, change.filed_source, places)


def _take_back(untouched: Sequence[Change], versions: set[int], places: Places) -> None:
    books = [change.book_id for change in untouched]
    Suggestion.objects.filter(book_id__in=books).delete()
    Suggestion.objects.bulk_create(
        (
            row
            for change in untouched
            for row in changes.restored(book_id=change.book_id, before=change.before, places=places)
            # What was deleted since cannot come back.
            if row.model_version_id in versions
        ),
        batch_size=2000,
    )
    accepted = (
        (_placed(change.filed_category_id, change.filed_source, places), change)
        for change in untouched
        if change.accepted_at
    )
    for (category, source), of in _grouped(accepted).items():
        set_by_model = Book.objects.filter(
            pk__in=[change.book_id for change in of], category_source=Book.CategorySource.MODEL
        )
        set_by_model.update(category=category, category_source=source)
    check_open(categories=set(Suggestion.objects.filter(book__in=books).values_list("category", flat=True)))
    Reading.objects.filter(book_id__in=books).update(undone=True)
    Change.objects.filter(pk__in=[change.pk for change in untouched]).update(taken_back=True)


def _rejected_since(batch: Reclassification, books: Collection[int]) -> set[int]:
    """Return the books of which a librarian has rejected something that the batch suggested.

    What was suggested before may be the very same.
    """
    standing = Review.objects.filter(verdict=Review.Verdict.REJECT, withdrawn_at=None, at__gte=batch.made_at)
    return set(standing.filter(book__in=books).values_list("book", flat=True))


def _placed(category: int | None, source: str, places: Places) -> Filing:
    """Return a filing as it is called now; a category that is deleted or given up cannot come back."""
    there = places.get(category) if category is not None else None
    return (there, source) if there is not None else (None, Book.CategorySource.NONE.value)


def _grouped(pairs: Iterable[tuple[Key, Change]]) -> dict[Key, list[Change]]:
    found: dict[Key, list[Change]] = defaultdict(list)
    for key, change in pairs:
        found[key].append(change)
    return found
