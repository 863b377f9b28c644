"""Queries on books and copies."""

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from library.catalogue.models import Book, Copy
from library.db import KEYS_PER_QUERY, batches


def book_ids(*, control_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of the books that exist, by control number."""
    ids: dict[str, int] = {}
    for batch in batches(sorted(control_numbers), KEYS_PER_QUERY):
        ids.update(Book.objects.filter(control_number__in=batch).values_list("control_number", "pk"))
    return ids


def installation_counts() -> dict[str, int]:
    """Return the numbers of books and copies, for the status of the installation."""
    return {"books": Book.objects.count(), "copies": Copy.objects.count()}


def with_copies(
    *, books: QuerySet[Book], branch: int | None = None, available: bool | None = None
) -> QuerySet[Book]:
    """Return the books that have a copy.

    Parameters
    ----------
    branch
        Primary key: only copies of this branch count.
    available
        True: only available copies count. False: books without an available copy. None: every copy held
        counts.
    """
    copies = Copy.objects.filter(book=OuterRef("pk"))
    if branch is not None:
        copies = copies.filter(branch=branch)
    has_available = Exists(copies.filter(status=Copy.Status.AVAILABLE))
    if available is None:
        return books.filter(Exists(copies.exclude(status__in=Copy.GONE)))
    return books.filter(has_available if available else ~has_available)


def availability(*, books: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return the numbers of copies and of available copies, by primary key of the book, in one query.

    Lost and withdrawn copies do not count. Each book has ``copies``, ``available`` and ``branches``; each
    branch that has copies, in order of code, gives ``branch`` (primary key; None for copies without a
    branch), ``code``, ``name``, ``copies`` and ``available``.
    """
    counts: dict[int, dict[str, Any]] = {pk: {"copies": 0, "available": 0, "branches": []} for pk in books}
    rows = (
        Copy.objects.filter(book__in=books)
        .exclude(status__in=Copy.GONE)
        .order_by("book", F("branch__code").asc(nulls_last=True))
        .values_list("book", "branch", "branch__code", "branch__name")
        .annotate(copies=Count("pk"), available=Count("pk", filter=Q(status=Copy.Status.AVAILABLE)))
    )
    for book, branch, code, name, copies, available in rows:
        counts[book]["copies"] += copies
        counts[book]["available"] += available
        counts[book]["branches"].append(
            {"branch": branch, "code": code, "name": name, "copies": copies, "available": available}
        )
    return counts
