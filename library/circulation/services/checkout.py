"""Check out copies to borrowers."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, Copy
from library.circulation.models import LOAN_TERMS, Hold, Loan, LoanEvent, LoanPolicy
from library.circulation.selectors.calendar import due_at, library_date
from library.circulation.selectors.holds import is_reserved_for_others
from library.circulation.selectors.policies import policy_in_force
from library.circulation.services.eligibility import blocks
from library.circulation.services.events import record_event
from library.circulation.services.holds import fulfil
from library.circulation.services.locks import lock_borrower, lock_copy, lock_queue, update_row
from library.circulation.services.refusals import Reason, raise_if_refused
from library.people.models import Borrower


def checkout(*, copy: Copy, borrower: Borrower, branch: Branch | None, now: datetime) -> Loan:
    """Check out a copy to a borrower.

    The checkout fulfils the borrower's hold on the title, whichever copy it is. Another copy set aside for
    that hold goes to the next hold in the queue.

    Parameters
    ----------
    branch
        Branch of the desk; None in a library without branches.

    Raises
    ------
    CirculationRefused
        `blocked`, `overdue_fines`, `limit_reached`, `already_on_loan`, `withdrawn`, `not_available`,
        `held_for_another`.
    NoPolicyError
    """
    with transaction.atomic():
        borrower = lock_borrower(pk=borrower.pk)
        copy = lock_copy(copy=copy)
        queue = lock_queue(book_id=copy.book_id)
        branch_id = branch.pk if branch else None
        policy = policy_in_force(
            branch_id=branch_id,
            borrower_category_id=borrower.category_id,
            item_type_id=copy.item_type_id,
        )
        loans = _open_loans(borrower, copy)
        raise_if_refused(
            [
                *blocks(borrower=borrower),
                *_over_limit(borrower, copy, policy, loans),
                *_unavailable(copy, borrower, loans, queue, now),
            ]
        )
        update_row(
            Copy.objects.filter(pk=copy.pk, status=copy.status),
            status=Copy.Status.ON_LOAN,
            last_seen_at=now,
            checkouts=F("checkouts") + 1,
        )
        loan = Loan.objects.create(
            copy=copy,
            borrower=borrower,
            branch=branch,
            borrowed_at=now,
            due_at=due_at(start=now, days=policy.loan_days, branch_id=branch_id),
            **terms_of(policy),
        )
        record_event(
            kind=LoanEvent.Kind.CHECKOUT,
            occurred_at=now,
            branch_id=branch_id,
            copy=copy,
            loan=loan,
        )
        fulfil(loan=loan, queue=queue, now=now)
    return loan


def terms_of(source: LoanPolicy | Loan) -> dict[str, object]:
    """Return the terms that a loan copies from its policy, read from a policy or from a loan."""
    return {name: getattr(source, name) for name in LOAN_TERMS}


class _OpenLoan(NamedTuple):
    borrower_id: int
    copy_id: int
    item_type_id: int | None
    lost_at: datetime | None


def _open_loans(borrower: Borrower, copy: Copy) -> list[_OpenLoan]:
    rows = Loan.objects.filter(Q(borrower=borrower) | Q(copy=copy), returned_at=None).order_by()
    columns = rows.values_list("borrower_id", "copy_id", "copy__item_type_id", "lost_at")
    return [_OpenLoan(*row) for row in columns]


def _over_limit(
    borrower: Borrower, copy: Copy, policy: LoanPolicy, open_loans: Sequence[_OpenLoan]
) -> list[Reason]:
    count = sum(
        loan.borrower_id == borrower.pk
        # A policy for one item type limits only the loans of that type.
        and (policy.item_type_id is None or loan.item_type_id == copy.item_type_id)
        for loan in open_loans
    )
    if count < policy.max_loans:
        return []
    text = _("Loan limit reached (%(count)s of %(most)s).")
    return [Reason("limit_reached", text % {"count": count, "most": policy.max_loans})]


def _unavailable(
    copy: Copy, borrower: Borrower, open_loans: Sequence[_OpenLoan], queue: Sequence[Hold], now: datetime
) -> list[Reason]:
    # An open loan that was imported or entered by hand overrides the status of the copy.
    is_out = any(loan.copy_id == copy.pk and loan.lost_at is None for loan in open_loans)
    if copy.status == Copy.Status.ON_LOAN or is_out:
        return [Reason("already_on_loan", _("Copy %s is checked out. Check it in first.") % copy)]
    if copy.status == Copy.Status.WITHDRAWN:
        return [Reason("withdrawn", _("Copy %s has been withdrawn.") % copy)]
    if copy.status in (Copy.Status.LOST, Copy.Status.IN_TRANSIT):
        values = {"copy": copy, "status": copy.get_status_display()}
        text = _("Copy %(copy)s is %(status)s. Check it in first.") % values
        return [Reason("not_available", text)]
    if copy.status == Copy.Status.ON_HOLD_SHELF:
        held = any(hold.copy_id == copy.pk and hold.borrower_id != borrower.pk for hold in queue)
    else:
        today = library_date(at=now)
        held = is_reserved_for_others(
            book_id=copy.book_id, borrower_id=borrower.pk, queue=queue, wanted=1, today=today
        )
    return [Reason("held_for_another", _("This title is on hold for another borrower."))] if held else []
