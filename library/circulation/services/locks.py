"""Rows read under a lock, for the order of which see the package."""

from collections.abc import Collection

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.utils.translation import gettext as _

from library.catalogue.models import Book, Copy
from library.circulation.models import Hold, Loan
from library.circulation.selectors.holds import in_order
from library.circulation.services.refusals import CirculationRefused, Reason
from library.people.models import PERSONAL_FIELDS, Borrower
from library.people.selectors import without_personal_data

# no_key: a row that refers to a locked one may still be written, as no key ever changes.


def lock_borrower(*, pk: int) -> Borrower:
    """Return the borrower; names and the like are not read, which would decrypt them."""
    return Borrower.objects.defer(*PERSONAL_FIELDS).select_for_update(no_key=True).get(pk=pk)


def lock_borrowers(*, pks: Collection[int]) -> None:
    """Lock several borrowers, in one order."""
    rows = Borrower.objects.filter(pk__in=pks).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def lock_book(*, pk: int) -> Book:
    """Return the book: nobody else changes its queue or its copies meanwhile."""
    return Book.objects.select_for_update(no_key=True).get(pk=pk)


def lock_copy(*, copy: Copy) -> Copy:
    """Lock the copy's book, then the copy; return it with its book."""
    rows = Copy.objects.select_related("book")
    # PostgreSQL locks in the order named, and reads anew what it had to wait for.
    return rows.select_for_update(of=("book", "self"), no_key=True).get(pk=copy.pk)


def lock_queue(*, book_id: int) -> list[Hold]:
    """Return the active holds of a title in the order of the queue; see `read_borrower`."""
    rows = Hold.objects.filter(book=book_id, status__in=Hold.ACTIVE).order_by("pk")
    return in_order(rows.select_for_update(no_key=True))


def read_borrower(*, hold: Hold) -> None:
    """Read whose hold it is, without decrypting who that is; most holds of a queue are never asked."""
    prefetch_related_objects([hold], Prefetch("borrower", Borrower.objects.defer(*PERSONAL_FIELDS)))


def lock_open_loan(*, copy: Copy) -> Loan | None:
    """Return the loan of a copy that is out, with its borrower."""
    rows = without_personal_data(Loan.objects.filter(copy=copy, returned_at=None)).order_by()
    return next(iter(rows.select_for_update(of=("self",), no_key=True)), None)


def lock_loan(*, loan: Loan, copy: Copy, borrower: Borrower) -> Loan | None:
    """Return the loan as it is now, if it still is one of this copy to this borrower, and open."""
    rows = Loan.objects.filter(pk=loan.pk, copy=copy, borrower=borrower, returned_at=None).order_by()
    return next(iter(rows.select_for_update(no_key=True)), None)


def move(rows: QuerySet, **changes: object) -> None:
    """Change the one row that is still in the state that `rows` names.

    Raises
    ------
    CirculationRefused
        If it no longer is: someone wrote past the locks.
    """
    if rows.update(**changes) != 1:
        message = _("Another change came first. Look at the record again.")
        raise CirculationRefused([Reason("changed_meanwhile", message)])
