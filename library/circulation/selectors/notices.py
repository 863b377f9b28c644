"""What borrowers are to be told, and have not been."""

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
    """What one borrower is to be told of one loan or hold."""

    borrower_id: int
    kind: Notice.Kind
    occasion: datetime
    loan_id: int | None = None
    hold_id: int | None = None


def due_notices(*, now: datetime) -> Iterator[DueNotice]:
    """Yield what is to be told now.

    Of an overdue loan only the notice for how late it is by now: one that was missed, because nothing ran,
    is not made up for. Loans overdue, and holds that became ready, more than NOTICE_MOST_DAYS ago are left to
    people: after an import of old loans nobody is to be written to about years ago.

    Parameters
    ----------
    now : datetime

    Yields
    ------
    DueNotice
        None that has a row already.
    """
    today = library_date(at=now)
    oldest = today - timedelta(days=settings.NOTICE_MOST_DAYS)
    soon = today + timedelta(days=settings.NOTICE_DAYS_BEFORE)
    if settings.NOTICE_DAYS_BEFORE:
        yield from _loans(Kind.DUE_SOON, start_of_day(day=today), start_of_day(day=soon + timedelta(days=1)))
    days = [*settings.NOTICE_DAYS_AFTER, settings.NOTICE_MOST_DAYS + 1]
    for kind, least, most in zip(Notice.OVERDUE, days, days[1:], strict=False):
        first, last = (today - timedelta(days=number - 1) for number in (most, least))
        yield from _loans(kind, start_of_day(day=first), start_of_day(day=last))
    since = start_of_day(day=oldest)
    yield from _holds(Kind.HOLD_READY, Hold.objects.filter(status=Hold.Status.READY, ready_at__gte=since))
    yield from _holds(Kind.HOLD_EXPIRED, Hold.objects.filter(status=Hold.Status.EXPIRED, ready_at__gte=since))


def is_still_due(*, notice: Notice) -> bool:
    """Return whether what a notice tells is still so: the loan is out and was not renewed, and so on."""
    if notice.borrower is None:
        return False
    if loan := notice.loan:
        return loan.returned_at is None and loan.lost_at is None and loan.due_at == notice.occasion
    hold = notice.hold
    status = Hold.Status.READY if notice.kind == Kind.HOLD_READY else Hold.Status.EXPIRED
    return hold is not None and hold.status == status and hold.ready_at == notice.occasion


def _loans(kind: Notice.Kind, since: datetime, before: datetime) -> Iterator[DueNotice]:
    told = Notice.objects.filter(loan=OuterRef("pk"), kind=kind, occasion=OuterRef("due_at"))
    loans = Loan.objects.filter(is_out(), ~Exists(told), due_at__gte=since, due_at__lt=before)
    for pk, borrower_id, due in loans.order_by().values_list("pk", "borrower_id", "due_at"):
        yield DueNotice(borrower_id, kind, due, loan_id=pk)


def _holds(kind: Notice.Kind, holds: QuerySet[Hold]) -> Iterator[DueNotice]:
    told = Notice.objects.filter(hold=OuterRef("pk"), kind=kind, occasion=OuterRef("ready_at"))
    untold = holds.filter(~Exists(told), borrower__isnull=False)
    for pk, borrower_id, ready in untold.order_by().values_list("pk", "borrower_id", "ready_at"):
        if ready is not None:
            yield DueNotice(borrower_id, kind, ready, hold_id=pk)
