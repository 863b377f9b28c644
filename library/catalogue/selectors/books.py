"""Books and copies, read from the database."""

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from library.catalogue.models import Book, Copy
from library.db import KEYS_A_QUERY, batches


def book_ids(*, control_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of those books that exist, by control number."""
    found: dict[str, int] = {}
    for numbers in batches(sorted(control_numbers), KEYS_A_QUERY):
        found.update(Book.objects.filter(control_number__in=numbers).values_list("control_number", "pk"))
    return found


def figures() -> dict[str, int]:
    """Return how much the catalogue keeps, for the state of the installation."""
    return {"books": Book.objects.count(), "copies": Copy.objects.count()}


def held(
    *, books: QuerySet[Book], branch: int | None = None, available: bool | None = None
) -> QuerySet[Book]:
    """Return those of the books that have a copy.

    Parameters
    ----------
    books : QuerySet
    branch : int, optional
        Key: only copies of this branch count.
    available : bool, optional
        True: only copies that can be had now count. False: books with none that can.

    Returns
    -------
    QuerySet
    """
    copies = Copy.objects.filter(book=OuterRef("pk"))
    if branch is not None:
        copies = copies.filter(branch=branch)
    at_hand = Exists(copies.filter(status=Copy.Status.AVAILABLE))
    if available is None:
        return books.filter(Exists(copies.exclude(status__in=Copy.GONE)))
    return books.filter(at_hand if available else ~at_hand)


def availability(*, books: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return how many copies there are of books and how many can be had now, in one query.

    Parameters
    ----------
    books : collection of int
        Primary keys.

    Returns
    -------
    dict
        By key of the book: ``copies`` and ``available``, and in ``branches`` the same of each that has any,
        with its key ``branch`` (None for copies that belong to none), ``code`` and ``name``, by code. What is
        lost or withdrawn does not count.
    """
    found: dict[int, dict[str, Any]] = {pk: {"copies": 0, "available": 0, "branches": []} for pk in books}
    rows = (
        Copy.objects.filter(book__in=books)
        .exclude(status__in=Copy.GONE)
        .order_by("book", F("branch__code").asc(nulls_last=True))
        .values_list("book", "branch", "branch__code", "branch__name")
        .annotate(copies=Count("pk"), available=Count("pk", filter=Q(status=Copy.Status.AVAILABLE)))
    )
    for book, branch, code, name, copies, at_hand in rows:
        found[book]["copies"] += copies
        found[book]["available"] += at_hand
        of_branch = {"branch": branch, "code": code, "name": name, "copies": copies, "available": at_hand}
        found[book]["branches"].append(of_branch)
    return found
