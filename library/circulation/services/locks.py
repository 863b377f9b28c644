"""Read rows under a lock; the docstring of the package gives the lock order."""

from collections.abc import Collection
from typing import Any

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.utils.translation import gettext as _

from library.catalogue.models import Book, Copy
from library.circulation.models import Hold, Loan
from library.circulation.selectors.holds import in_order
from library.circulation.services.refusals import CirculationRefused, Reason
from library.people.models import PERSONAL_FIELDS, Borrower
from library.people.selectors import without_personal_data

# no_key: rows that refer to a locked row may still be written, since keys never change.


def lock_borrower(*, pk: int) -> Borrower:
    """Lock and return a borrower, without personal fields, so that nothing is decrypted."""
    return Borrower.objects.defer(*PERSONAL_FIELDS).select_for_update(no_key=True).get(pk=pk)


def lock_borrowers(*, pks: Collection[int]) -> None:
    """Lock several borrowers in key order."""
    rows = Borrower.objects.filter(pk__in=pks).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def lock_book(*, pk: int) -> Book:
    """Lock and return a book; the lock also guards its queue and its copies."""
    return Book.objects.select_for_update(no_key=True).get(pk=pk)


def lock_copy(*, copy: Copy) -> Copy:
    """Lock a book, then its copy; return the copy with its book."""
    rows = Copy.objects.select_related("book")
    # PostgreSQL locks in the order named, and reads a row again after it has waited for the lock.
    return rows.select_for_update(of=("book", "self"), no_key=True).get(pk=copy.pk)


def lock_queue(*, book_id: int) -> list[Hold]:
    """Lock and return the active holds of a title in queue order; `load_borrower` adds a borrower."""
    rows = Hold.objects.filter(book=book_id, status__in=Hold.ACTIVE).order_by("pk")
    return in_order(rows.select_for_update(no_key=True))


def load_borrower(*, hold: Hold) -> None:
    """Load the borrower of a hold without personal fields; most holds of a queue never need it."""
    prefetch_related_objects([hold], Prefetch("borrower", Borrower.objects.defer(*PERSONAL_FIELDS)))


def lock_open_loan(*, copy: Copy) -> Loan | None:
    """Lock and return the open loan of a copy, with its borrower."""
    rows = without_personal_data(Loan.objects.filter(copy=copy, returned_at=None)).order_by()
    return next(iter(rows.select_for_update(of=("self",), no_key=True)), None)


def lock_loan(*, loan: Loan, copy: Copy, borrower: Borrower) -> Loan | None:
    """Lock and return a loan if it is still open and of the same copy and borrower."""
    rows = Loan.objects.filter(pk=loan.pk, copy=copy, borrower=borrower, returned_at=None).order_by()
    return next(iter(rows.select_for_update(no_key=True)), None)


def update_row(rows: QuerySet[Any], **changes: object) -> None:
    """Update the one row that is still in the state that `rows` filters by.

    Raises
    ------
    CirculationRefused
        `concurrent_change` if the state has changed: something wrote without taking the locks.
    """
    if rows.update(**changes) != 1:
        message = _("This record was changed by another request. Reload it and try again.")
        raise CirculationRefused([Reason("concurrent_change", message)])
