"""What becomes of a batch: accepted in part, or undone as a whole.

What a person or an import decided is never written over. The updates of books themselves say so in their
conditions, whatever was read before them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from classifier.models import (
    TRUSTED_SOURCES,
    Change,
    ModelVersion,
    Reading,
    Reclassification,
    Run,
    Suggestion,
)
from classifier.services import changes
from classifier.services.changes import Was
from library.catalogue.models import Book, Category
from library.errors import ConflictError

_AT_ONCE = 500  # books: bounds the memory, and what one statement is given
Key = TypeVar("Key")
Filing = tuple[int | None, str]
"""Primary key of a category, and its source."""


class ReclassificationStateError(ConflictError):
    """What was asked of a batch cannot be done in its state."""


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
    wanted = batch.changes.all() if change_ids is None else batch.changes.filter(pk__in=change_ids)
    asked = wanted.count()
    sure = wanted.filter(superseded=False, accepted_at=None, to_abstained=False, to_category__isnull=False)
    filed = decided = 0
    for some in _slices(sure):
        was = changes.locked(books=[change.book_id for change in some])
        free = [change for change in some if _may_file(was, change.book_id)]
        decided += len(some) - len(free)
        for category, of in _grouped((change.to_category_id, change) for change in free).items():
            # The condition again: what the model says must not get past what a person said, ever.
            books = Book.objects.filter(pk__in=[change.book_id for change in of])
            filed += books.exclude(category_source__in=TRUSTED_SOURCES).update(
                category=category, category_source=Book.CategorySource.MODEL
            )
        for change in free:
            change.filed_category_id, change.filed_source = was.filed[change.book_id]
            change.accepted_at, change.accepted_by = now, user
        Change.objects.bulk_update(free, ["filed_category", "filed_source", "accepted_at", "accepted_by"])
    if filed:
        batch.state = Reclassification.State.PARTLY_ACCEPTED
        batch.save(update_fields=["state"])
    return Accepted(filed=filed, decided=decided, unsure=asked - filed - decided)


@transaction.atomic
def undo(*, batch: Reclassification, now: datetime, user: User | None = None) -> Reclassification:
    """Take a batch back as a whole: suggestions, and categories it set, are what they were before.

    What stays: books that a person or an import has filed since, and those that a later batch has
    classified again. The books are not classified again before something has changed; see
    `classifier.services.staleness`.

    Parameters
    ----------
    batch : Reclassification
    now : datetime
    user : user, optional
        Who undoes it.

    Returns
    -------
    Reclassification
        Undone; ``kept`` says how many books stayed, and why.

    Raises
    ------
    ReclassificationStateError
        If the batch is a proposal, undone or not done yet.
    """
    batch = _locked(batch)
    again = batch.changes.filter(superseded=True).count()
    decided = 0
    known = (
        set(ModelVersion.objects.values_list("pk", flat=True)),
        set(Category.objects.values_list("pk", flat=True)),
    )
    for some in _slices(batch.changes.filter(superseded=False)):
        was = changes.locked(books=[change.book_id for change in some])
        untouched = [change for change in some if was.filed[change.book_id] == _left_as(change)]
        decided += len(some) - len(untouched)
        _take_back(untouched, known)
    batch.state = Reclassification.State.UNDONE
    batch.undone_at, batch.undone_by = now, user
    batch.kept = {"decided": decided, "classified_again": again}
    batch.save(update_fields=["state", "undone_at", "undone_by", "kept"])
    batch.changes.exclude(before=[]).update(before=[])
    return batch


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


def _slices(rows: QuerySet[Change]) -> Iterator[list[Change]]:
    """Yield changes by book: always in the same order, so that no two wait for each other."""
    after = 0
    while some := list(rows.filter(book__gt=after).order_by("book")[:_AT_ONCE]):
        yield some
        after = some[-1].book_id


def _may_file(was: Was, book: int) -> bool:
    return was.filed[book][1] not in TRUSTED_SOURCES


def _left_as(change: Change) -> Filing:
    """Return how a book is filed unless somebody has decided since."""
    if change.accepted_at:
        return change.to_category_id, Book.CategorySource.MODEL
    return change.filed_category_id, change.filed_source


def _take_back(untouched: Sequence[Change], known: tuple[set[int], set[int]]) -> None:
    versions, categories = known
    books = [change.book_id for change in untouched]
    Suggestion.objects.filter(book_id__in=books).delete()
    Suggestion.objects.bulk_create(
        (
            row
            for change in untouched
            for row in changes.restored(book_id=change.book_id, before=change.before)
            # What was deleted since cannot come back.
            if row.model_version_id in versions and row.category_id in categories
        ),
        batch_size=2000,
    )
    accepted = ((_filed(change), change) for change in untouched if change.accepted_at)
    for (category, source), of in _grouped(accepted).items():
        set_by_model = Book.objects.filter(
            pk__in=[change.book_id for change in of], category_source=Book.CategorySource.MODEL
        )
        set_by_model.update(category=category, category_source=source)
    Reading.objects.filter(book_id__in=books).update(undone=True)
    Change.objects.filter(pk__in=[change.pk for change in untouched]).update(taken_back=True)


def _filed(change: Change) -> Filing:
    """Return how a book was filed; a category deleted since cannot come back."""
    if change.filed_category_id is None:
        return None, Book.CategorySource.NONE
    return change.filed_category_id, change.filed_source


def _grouped(pairs: Iterable[tuple[Key, Change]]) -> dict[Key, list[Change]]:
    found: dict[Key, list[Change]] = defaultdict(list)
    for key, change in pairs:
        found[key].append(change)
    return found
