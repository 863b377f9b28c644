"""A loan is renewed."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.selectors.calendar import due_at, library_date
from library.circulation.selectors.holds import is_spoken_for, queue_of
from library.circulation.selectors.policies import policy_in_force
from library.circulation.services.checkout import terms_of
from library.circulation.services.eligibility import reasons_against
from library.circulation.services.events import record_event
from library.circulation.services.fines import charge_lateness
from library.circulation.services.locks import lock_borrower, lock_copy, lock_loan, lock_queue, move
from library.circulation.services.refusals import CirculationRefused, Reason, refuse_if


def renew(*, loan: Loan, now: datetime) -> Loan:
    """Let the borrower keep a copy longer: from today, but never due sooner than it was.

    The terms are those of the checkout. A loan without terms (of an import, or entered by hand) takes those
    of the rule that holds today. What its lateness costs so far is charged, for it would be forgotten.

    Parameters
    ----------
    loan : Loan
    now : datetime

    Returns
    -------
    Loan

    Raises
    ------
    CirculationRefused
        `blocked`, `overdue_fines`, `not_on_loan`, `lost`, `renewals_exhausted`, `held_for_another`.
    NoPolicyError
        For a loan without terms only.
    """
    if loan.borrower_id is None:
        raise CirculationRefused([_ended(loan)])
    with transaction.atomic():
        borrower = lock_borrower(pk=loan.borrower_id)
        copy = lock_copy(copy=loan.copy)
        queue = lock_queue(book_id=copy.book_id)
        found = lock_loan(loan=loan, copy=copy, borrower=borrower)
        if found is None:
            raise CirculationRefused([_ended(loan)])
        loan = found
        loan.borrower, loan.copy = borrower, copy
        _take_terms(loan)
        refuse_if(_reasons(loan, queue, now))
        return _renew(loan, copy, now)


def reasons_against_renewing(*, loan: Loan, now: datetime) -> list[Reason]:
    """Return why `renew` would refuse now, and change nothing.

    Raises
    ------
    NoPolicyError
        For a loan without terms only.
    """
    if loan.borrower_id is None or loan.returned_at is not None:
        return [_ended(loan)]
    _take_terms(loan)
    return _reasons(loan, queue_of(book=loan.copy.book), now)


def _ended(loan: Loan) -> Reason:
    return Reason("not_on_loan", _("The loan has ended: the copy %s was returned.") % loan.copy)


def _take_terms(loan: Loan) -> None:
    """Let a loan without terms have those of the rule that holds today."""
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
    reasons = reasons_against(borrower=borrower)
    if loan.lost_at or copy.status == Copy.Status.LOST:
        reasons.append(Reason("lost", _("The copy %s is lost: check it in first.") % copy))
    if loan.renewals >= (loan.renewals_allowed or 0):
        text = _("The loan was renewed %(count)s times; the rule allows %(most)s.")
        values = {"count": loan.renewals, "most": loan.renewals_allowed}
        reasons.append(Reason("renewals_exhausted", text % values))
    today = library_date(at=now)
    if is_spoken_for(book_id=copy.book_id, borrower_id=borrower.pk, queue=queue, wanted=0, today=today):
        reasons.append(Reason("held_for_another", _("The title is held for another borrower.")))
    return reasons


def _renew(loan: Loan, copy: Copy, now: datetime) -> Loan:
    charge_lateness(loan=loan, copy=copy, until=now, branch_id=loan.branch_id, now=now)
    due = max(loan.due_at, due_at(start=now, days=loan.renewal_days or 0, branch_id=loan.branch_id))
    move(
        Loan.objects.filter(pk=loan.pk, returned_at=None, lost_at=None, renewals=loan.renewals),
        renewals=F("renewals") + 1,
        due_at=due,
        **terms_of(loan),
    )
    loan.renewals, loan.due_at = loan.renewals + 1, due
    move(Copy.objects.filter(pk=copy.pk, status=Copy.Status.ON_LOAN), renewals=F("renewals") + 1)
    record_event(
        kind=LoanEvent.Kind.RENEWAL,
        at=now,
        branch_id=loan.branch_id,
        copy=copy,
        loan=loan,
    )
    return loan
