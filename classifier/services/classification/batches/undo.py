"""Undo of a batch as a whole: suggestions and categories return to what they were before it.

The conditions of the updates keep what a person or an import has decided since, whatever was read before.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import Batch, BookFingerprint, Change, ModelVersion, Review, Suggestion
from classifier.services.classification.batches.changes import Filing, lock_books, restored
from classifier.services.classification.batches.lifecycle import NoBatchError, book_slices, lock_applied
from classifier.services.runs.context import JobContext
from classifier.services.runs.phases import UNDOING
from library.catalogue.models import Book
from library.catalogue.selectors.categories import CurrentCategories, current_categories
from library.catalogue.services import check_open


@transaction.atomic
def check_undoable(*, batch: Batch) -> None:
    """Raise now the `BatchStateError` that `undo` would raise later."""
    lock_applied(batch=batch)


def undo_batch(context: JobContext, *, batch: int) -> dict[str, Any]:
    """Undo a batch by its number for the user who requested the run; `NoBatchError` if there is none."""
    found = Batch.objects.filter(pk=batch).first()
    if found is None:
        raise NoBatchError(_("Batch %s does not exist.") % batch)
    return undo(context, batch=found, user=context.run.requested_by if context.run else None)


def undo(context: JobContext, *, batch: Batch, user: User | None = None) -> dict[str, Any]:
    """Restore the suggestions and categories from before a batch.

    Unchanged: books that a person or an import has filed or reviewed since, and books that a later batch has
    classified again. No book is classified again until something about it changes (`staleness`). Books are
    restored slice by slice, so that nobody at the desk waits long; if interrupted, the batch stays in the
    state "being undone" until this is called again.

    Returns
    -------
    dict
        ``batch``, ``books`` restored in all, and how many were not because they were ``decided`` by a person
        or an import or ``classified_again``.

    Raises
    ------
    BatchStateError
        If the batch is a proposal, undone, or still being processed.
    """
    with transaction.atomic():
        batch = lock_applied(batch=batch)
        batch.state = Batch.State.UNDOING
        batch.save(update_fields=["state"])
    versions = set(ModelVersion.objects.values_list("pk", flat=True))
    remaining = batch.changes.filter(superseded=False, undone=False)
    done, decided, total = 0, 0, remaining.count()
    for books in book_slices(remaining):
        context.progress(UNDOING, done, total)
        with transaction.atomic():
            previous = lock_books(books=books)
            # Read under the lock: another batch may have changed them.
            changes = list(remaining.filter(book__in=books))
            rejected = _rejected_since(batch, books)
            # A category that was merged since is restored as its replacement.
            categories = current_categories()
            undecided = [
                change
                for change in changes
                if previous.filed[change.book_id] == _filing_after(change, categories)
                and change.book_id not in rejected
            ]
            decided += len(changes) - len(undecided)
            _restore(undecided, versions, categories)
        done += len(books)
    classified_again = batch.changes.filter(superseded=True, undone=False).count()
    unchanged = {"decided": decided, "classified_again": classified_again}
    result = {"batch": batch.pk, "books": batch.changes.filter(undone=True).count(), **unchanged}
    with transaction.atomic():
        batch.state = Batch.State.UNDONE
        batch.undone_at, batch.undone_by, batch.unchanged = context.now, user, unchanged
        batch.save(update_fields=["state", "undone_at", "undone_by", "unchanged"])
        batch.changes.exclude(before=[]).update(before=[])
        context.finish(result)
    context.progress(UNDOING, total, total)
    return result


def _restore(changes: Sequence[Change], versions: set[int], categories: CurrentCategories) -> None:
    books = [change.book_id for change in changes]
    Suggestion.objects.filter(book_id__in=books).delete()
    Suggestion.objects.bulk_create(
        (
            row
            for change in changes
            for row in restored(book_id=change.book_id, before=change.before, categories=categories)
            # A deleted version cannot be restored.
            if row.model_version_id in versions
        ),
        batch_size=2000,
    )
    by_filing: dict[Filing, list[int]] = defaultdict(list)
    for change in changes:
        if change.accepted_at:
            filing = _current_filing(change.filed_category_id, change.filed_source, categories)
            by_filing[filing].append(change.book_id)
    for (category, source), book_ids in by_filing.items():
        set_by_model = Book.objects.filter(pk__in=book_ids, category_source=Book.CategorySource.MODEL)
        set_by_model.update(category=category, category_source=source)
    check_open(categories=set(Suggestion.objects.filter(book__in=books).values_list("category", flat=True)))
    BookFingerprint.objects.filter(book_id__in=books).update(undone=True)
    Change.objects.filter(pk__in=[change.pk for change in changes]).update(undone=True)


def _filing_after(change: Change, categories: CurrentCategories) -> Filing:
    """Return how a book is filed if nobody has decided since the change."""
    if change.accepted_at:
        return _current_filing(change.to_category_id, Book.CategorySource.MODEL, categories)
    return _current_filing(change.filed_category_id, change.filed_source, categories)


def _current_filing(category: int | None, source: str, categories: CurrentCategories) -> Filing:
    """Return a filing under today's categories; a deleted or retired category cannot be restored."""
    current = categories.get(category) if category is not None else None
    return (current, source) if current is not None else (None, Book.CategorySource.NONE.value)


def _rejected_since(batch: Batch, books: Collection[int]) -> set[int]:
    """Return the books with a rejection since the batch: the suggestion before it may be the same one."""
    rejections = Review.objects.filter(
        verdict=Review.Verdict.REJECT, withdrawn_at=None, created_at__gte=batch.created_at
    )
    return set(rejections.filter(book__in=books).values_list("book", flat=True))
