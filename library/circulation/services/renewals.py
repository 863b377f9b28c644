"""Renew loans."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.selectors.calendar import due_at, library_date
from library.circulation.selectors.holds import hold_queue, is_reserved_for_others
from library.circulation.selectors.policies import policy_in_force
from library.circulation.services.checkout import terms_of
from library.circulation.services.eligibility import blocks
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.locks import lock_borrower, lock_copy, lock_loan, lock_queue, update_row
from library.circulation.services.refusals import CirculationRefused, Reason, raise_if_refused


def renew(*, loan: Loan, now: datetime) -> Loan:
    """Renew a loan from today; the due date never becomes earlier.

    The terms are those of the checkout. A loan without terms (imported or entered by hand) takes those of the
    current policy. The overdue fine so far is charged first, since the new due date would cancel it.

    Raises
    ------
    CirculationRefused
        `blocked`, `overdue_fines`, `not_on_loan`, `lost`, `renewals_exhausted`, `held_for_another`.
    NoPolicyError
        Only for a loan without terms.
    """
    if loan.borrower_id is None:
        raise CirculationRefused([_ended(loan)])
    with transaction.atomic():
        borrower = lock_borrower(pk=loan.borrower_id)
        copy = lock_copy(copy=loan.copy)
        queue = lock_queue(book_id=copy.book_id)
        locked = lock_loan(loan=loan, copy=copy, borrower=borrower)
        if locked is None:
            raise CirculationRefused([_ended(loan)])
        loan = locked
        loan.borrower, loan.copy = borrower, copy
        _set_terms(loan)
        raise_if_refused(_reasons(loan, queue, now))
        return _renew(loan, copy, now)


def renewal_blocks(*, loan: Loan, now: datetime) -> list[Reason]:
    """Return the reasons why `renew` would refuse now; change nothing.

    Raises
    ------
    NoPolicyError
        Only for a loan without terms.
    """
    if loan.borrower_id is None or loan.returned_at is not None:
        return [_ended(loan)]
    _set_terms(loan)
    return _reasons(loan, hold_queue(book=loan.copy.book), now)


def _ended(loan: Loan) -> Reason:
    return Reason("not_on_loan", _("This loan has ended: copy %s was returned.") % loan.copy)


def _set_terms(loan: Loan) -> None:
    if loan.renewals_allowed is None:
        assert loan.borrower is not None
        policy = policy_in_force(
            branch_id=loan.branch_id or loan.copy.branch_id,
            borrower_category_id=loan.borrower.category_id,
            item_type_id=loan.copy.item_type_id,
        )
        for name, value in terms_of(policy).items():
            setattr(loan, name, value)


def _reasons(loan: Loan, queue: Sequence[Hold], now: datetime) -> list[Reason]:
    borrower, copy = loan.borrower, loan.copy
    assert borrower is not None
    reasons = blocks(borrower=borrower)
    if loan.lost_at or copy.status == Copy.Status.LOST:
        reasons.append(Reason("lost", _("Copy %s is lost. Check it in first.") % copy))
    if loan.renewals >= (loan.renewals_allowed or 0):
        text = _("Renewal limit reached (%(count)s of %(most)s).")
        values = {"count": loan.renewals, "most": loan.renewals_allowed}
        reasons.append(Reason("renewals_exhausted", text % values))
    today = library_date(at=now)
    if is_reserved_for_others(
        book_id=copy.book_id, borrower_id=borrower.pk, queue=queue, wanted=0, today=today
    ):
        reasons.append(Reason("held_for_another", _("This title is on hold for another borrower.")))
    return reasons


def _renew(loan: Loan, copy: Copy, now: datetime) -> Loan:
    charge_lateness(loan=loan, copy=copy, until=now, branch_id=loan.branch_id, now=now)
    due = max(loan.due_at, due_at(start=now, days=loan.renewal_days or 0, branch_id=loan.branch_id))
    update_row(
        Loan.objects.filter(pk=loan.pk, returned_at=None, lost_at=None, renewals=loan.renewals),
        renewals=F("renewals") + 1,
        due_at=due,
        **terms_of(loan),
    )
    loan.renewals, loan.due_at = loan.renewals + 1, due
    update_row(Copy.objects.filter(pk=copy.pk, status=Copy.Status.ON_LOAN), renewals=F("renewals") + 1)
    record_event(
        kind=LoanEvent.Kind.RENEWAL,
        occurred_at=now,
        branch_id=loan.branch_id,
        copy=copy,
        loan=loan,
    )
    return loan
