"""Review queue: assigns waiting books to one reviewer at a time."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When

from classifier.models import ReviewItem
from classifier.selectors.reviews import ReviewFilters, deferred_by, waiting_items

MAX_BOOKS = 20
"""Books locked for one reviewer: more would be outdated, and missing elsewhere, before they are read."""


def next_for(
    *, reviewer: User, now: datetime, filters: ReviewFilters | None = None, n: int = 1
) -> list[ReviewItem]:
    """Return the next books for a reviewer, most useful first, locked for ``REVIEW_LOCK_MINUTES``.

    No two reviewers get the same book while a lock lasts. A second call returns the same books; the
    reviewer's other locks are released. Books that the reviewer has deferred come last.

    Parameters
    ----------
    n
        At most `MAX_BOOKS`.
    """
    n = max(1, min(n, MAX_BOOKS))
    free = Q(locked_until=None) | Q(locked_until__lte=now) | Q(locked_by=reviewer)
    rows = waiting_items(filters=filters).filter(free)
    until = now + timedelta(minutes=settings.REVIEW_LOCK_MINUTES)
    deferred = deferred_by(reviewer)
    while True:
        with transaction.atomic():
            keys = _lock(rows.exclude(deferred), n)
            if len(keys) < n:
                keys += _lock(rows.filter(deferred), n - len(keys))
            own = Q(locked_by=reviewer, locked_until__gt=now)
            chosen = ReviewItem.objects.filter(free, pk__in=keys)
            taken = chosen.update(
                locked_at=Case(When(own, then=F("locked_at")), default=Value(now)),
                locked_by=reviewer,
                locked_until=until,
            )
            if taken == len(keys):
                _release(ReviewItem.objects.filter(locked_by=reviewer).exclude(pk__in=keys))
            else:
                transaction.set_rollback(True)
        # Others may have taken rows before the lock: then try again.
        if taken == len(keys) and (keys or not rows.exists()):
            items = (
                ReviewItem.objects.select_related("book__category")
                .prefetch_related("book__suggestions__category", "book__suggestions__model_version")
                .filter(pk__in=keys)
            )
            return sorted(items, key=lambda item: keys.index(item.pk))


def release(*, reviewer: User) -> None:
    """Release a reviewer's locked books."""
    _release(ReviewItem.objects.filter(locked_by=reviewer))


def _lock(rows: QuerySet[ReviewItem], n: int) -> list[int]:
    # PostgreSQL skips rows that others are locking; SQLite has one writer at a time.
    locked = rows.select_for_update(of=("self",), skip_locked=connection.features.has_select_for_update)
    return list(locked.values_list("pk", flat=True)[:n])


def _release(rows: QuerySet[ReviewItem]) -> None:
    rows.update(locked_by=None, locked_at=None, locked_until=None)
