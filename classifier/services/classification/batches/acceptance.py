"""Acceptance of a batch, in whole or in part: its suggestions become the categories of books.

What a person or an import has decided is never overwritten: the conditions of the updates themselves ensure
it, whatever was read before.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import TRUSTED_SOURCES, Batch, Change
from classifier.services.classification.batches.changes import lock_books
from classifier.services.classification.batches.lifecycle import BatchStateError, book_slices, lock_applied
from library.catalogue.models import Book
from library.catalogue.selectors.categories import replacements
from library.catalogue.services import check_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Result of accepting changes, in books; `filed` under the suggested category.

    Attributes
    ----------
    decided
        Skipped: a person or an import has filed the book.
    unsure
        Skipped: no confident suggestion, accepted before, or classified again since.
    """

    filed: int
    decided: int
    unsure: int


@transaction.atomic
def accept(
    *,
    batch: Batch,
    now: datetime,
    user: User | None = None,
    change_ids: Collection[int] | None = None,
) -> Acceptance:
    """File books under the categories that a batch suggests, or those of `change_ids` only.

    Such a category counts as the model's, accepted in bulk: it trains no model, and a later batch may change
    it.

    Raises
    ------
    BatchStateError
        If the batch is a proposal, undone, being undone, or still being processed.
    """
    batch = lock_applied(batch=batch)
    if batch.state == Batch.State.UNDOING:
        raise BatchStateError(_("%s is being undone.") % batch)
    requested = batch.changes.all() if change_ids is None else batch.changes.filter(pk__in=change_ids)
    n_requested = requested.count()
    confident = requested.filter(
        superseded=False, accepted_at=None, to_abstained=False, to_category__isnull=False
    )
    current = replacements()
    confident = confident.exclude(
        to_category__in=[key for key, category in current.items() if category is None]
    )
    filed = decided = 0
    for books in book_slices(confident):
        previous = lock_books(books=books)
        # Read under the lock: another batch may have changed them.
        changes = list(confident.filter(book__in=books))
        undecided = [change for change in changes if previous.filed[change.book_id][1] not in TRUSTED_SOURCES]
        decided += len(changes) - len(undecided)
        by_category: dict[int, list[int]] = {}
        for change in undecided:
            if (key := change.to_category_id) is not None and (category := current.get(key, key)) is not None:
                by_category.setdefault(category, []).append(change.book_id)
        for category, book_ids in by_category.items():
            # The condition is repeated here: a suggestion never overwrites a person's decision.
            unprotected = Book.objects.filter(pk__in=book_ids).exclude(category_source__in=TRUSTED_SOURCES)
            filed += unprotected.update(category=category, category_source=Book.CategorySource.MODEL)
            check_open(categories=[category])
        for change in undecided:
            change.filed_category_id, change.filed_source = previous.filed[change.book_id]
            change.accepted_at, change.accepted_by = now, user
        Change.objects.bulk_update(
            undecided, ["filed_category", "filed_source", "accepted_at", "accepted_by"]
        )
    if filed:
        batch.state = Batch.State.PARTLY_ACCEPTED
        batch.save(update_fields=["state"])
    return Acceptance(filed=filed, decided=decided, unsure=n_requested - filed - decided)
