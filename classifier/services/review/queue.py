"""The books that wait for a librarian's word: put in order, and handed out to one reviewer at a time."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When

from classifier.models import ReviewItem
from classifier.selectors.reviews import ReviewFilters, put_off_by, waiting_items

MAX_AT_ONCE = 20
"""Books locked for one reviewer: more would be out of date, and lacking elsewhere, before they are read."""


def next_for(
    *, reviewer: User, now: datetime, filters: ReviewFilters | None = None, n: int = 1
) -> list[ReviewItem]:
    """Return the next books for a reviewer, locked for ``REVIEW_LOCK_MINUTES``.

    No two reviewers get the same book while a lock lasts. Asked again, the same books come back; a reviewer's
    other locks are released. What the reviewer has put off comes after everything else.

    Parameters
    ----------
    reviewer : User
    now : datetime
    filters : ReviewFilters, optional
    n : int
        At most `MAX_AT_ONCE`.

    Returns
    -------
    list of ReviewItem
        With their books, the most useful first; empty if nothing waits that is not with others.
    """
    n = max(1, min(n, MAX_AT_ONCE))
    free = Q(locked_until=None) | Q(locked_until__lte=now) | Q(locked_by=reviewer)
    rows = waiting_items(filters=filters).filter(free)
    until = now + timedelta(minutes=settings.REVIEW_LOCK_MINUTES)
    had = put_off_by(reviewer)
    while True:
        with transaction.atomic():
            found = _take(rows.exclude(had), n)
            if len(found) < n:
                found += _take(rows.filter(had), n - len(found))
            mine = Q(locked_by=reviewer, locked_until__gt=now)
            chosen = ReviewItem.objects.filter(free, pk__in=found)
            taken = chosen.update(
                locked_at=Case(When(mine, then=F("locked_at")), default=Value(now)),
                locked_by=reviewer,
                locked_until=until,
            )
            if taken == len(found):
                _release(ReviewItem.objects.filter(locked_by=reviewer).exclude(pk__in=found))
            else:
                transaction.set_rollback(True)
        # Rows that others took between the look and the lock are left out: look again.
        if taken == len(found) and (found or not rows.exists()):
            items = (
                ReviewItem.objects.select_related("book__category")
                .prefetch_related("book__suggestions__category", "book__suggestions__model_version")
                .filter(pk__in=found)
            )
            return sorted(items, key=lambda item: found.index(item.pk))


def release(*, reviewer: User) -> None:
    """Give back what a reviewer has locked and not judged."""
    _release(ReviewItem.objects.filter(locked_by=reviewer))


def _take(rows: QuerySet[ReviewItem], n: int) -> list[int]:
    # SQLite writes one after the other anyhow; PostgreSQL passes over what is being taken by others.
    locked = rows.select_for_update(of=("self",), skip_locked=connection.features.has_select_for_update)
    return list(locked.values_list("pk", flat=True)[:n])


def _release(rows: QuerySet[ReviewItem]) -> None:
    rows.update(locked_by=None, locked_at=None, locked_until=None)
