"""Notices that are due and not yet sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from library.circulation.models import Hold, Loan, Notice
from library.circulation.selectors.calendar import library_date, start_of_day
from library.circulation.selectors.overdue import is_out

Kind = Notice.Kind


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice to send about a loan or hold."""

    borrower_id: int
    kind: Notice.Kind
    occasion: datetime
    loan_id: int | None = None
    hold_id: int | None = None


def due_notices(*, now: datetime) -> Iterator[DueNotice]:
    """Yield the notices to send now.

    An overdue loan gets only the notice for its current delay: one that was missed because nothing ran is not
    sent later. Loans that became overdue, and holds that became ready, more than NOTICE_MAX_DAYS ago get no
    notice: after an import of old loans, nobody should be notified about past years.

    Yields
    ------
    DueNotice
        Only notices without a row.
    """
    today = library_date(at=now)
    oldest = today - timedelta(days=settings.NOTICE_MAX_DAYS)
    soon = today + timedelta(days=settings.NOTICE_DAYS_BEFORE)
    if settings.NOTICE_DAYS_BEFORE:
        yield from _loans(Kind.DUE_SOON, start_of_day(day=today), start_of_day(day=soon + timedelta(days=1)))
    days = [*settings.NOTICE_DAYS_AFTER, settings.NOTICE_MAX_DAYS + 1]
    for kind, min_days, max_days in zip(Notice.OVERDUE, days, days[1:], strict=False):
        first, last = (today - timedelta(days=number - 1) for number in (max_days, min_days))
        yield from _loans(kind, start_of_day(day=first), start_of_day(day=last))
    since = start_of_day(day=oldest)
    yield from _holds(Kind.HOLD_READY, Hold.objects.filter(status=Hold.Status.READY, ready_at__gte=since))
    yield from _holds(Kind.HOLD_EXPIRED, Hold.objects.filter(status=Hold.Status.EXPIRED, ready_at__gte=since))


def is_still_due(*, notice: Notice) -> bool:
    """Return whether a notice is still true: the loan is open and not renewed, or the hold is unchanged."""
    if notice.borrower is None:
        return False
    if loan := notice.loan:
        return loan.returned_at is None and loan.lost_at is None and loan.due_at == notice.occasion
    hold = notice.hold
    status = Hold.Status.READY if notice.kind == Kind.HOLD_READY else Hold.Status.EXPIRED
    return hold is not None and hold.status == status and hold.ready_at == notice.occasion


def _loans(kind: Notice.Kind, since: datetime, before: datetime) -> Iterator[DueNotice]:
    notices = Notice.objects.filter(loan=OuterRef("pk"), kind=kind, occasion=OuterRef("due_at"))
    loans = Loan.objects.filter(is_out(), ~Exists(notices), due_at__gte=since, due_at__lt=before)
    for pk, borrower_id, due in loans.order_by().values_list("pk", "borrower_id", "due_at"):
        yield DueNotice(borrower_id, kind, due, loan_id=pk)


def _holds(kind: Notice.Kind, holds: QuerySet[Hold]) -> Iterator[DueNotice]:
    notices = Notice.objects.filter(hold=OuterRef("pk"), kind=kind, occasion=OuterRef("ready_at"))
    pending = holds.filter(~Exists(notices), borrower__isnull=False)
    for pk, borrower_id, ready in pending.order_by().values_list("pk", "borrower_id", "ready_at"):
        if ready is not None:
            yield DueNotice(borrower_id, kind, ready, hold_id=pk)
