"""Who sends which message: decided by the database, before anything is sent."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from uuid import uuid4

from django.conf import settings
from django.db.models import F, Q

from library.circulation.models import Notice
from library.circulation.selectors.notices import DueNotice, due_notices

#: How long a message may be on its way. Whoever claimed it and has not said since that it is sent has
#: crashed; longer than the mail server may take to answer (EMAIL_TIMEOUT), by far.
LEASE = timedelta(hours=1)

#: Called, it claims one message and returns its id; None if another worker has it.
Claim = Callable[[], str | None]

_TOPICS = {
    Notice.Kind.DUE_SOON: "due_soon",
    **dict.fromkeys(Notice.OVERDUE, "overdue"),
    Notice.Kind.HOLD_READY: "hold_ready",
    Notice.Kind.HOLD_EXPIRED: "hold_expired",
}


def topic_of(*, kind: str) -> str:
    """Return which message a notice goes into: a borrower's overdue loans stand in one."""
    return _TOPICS[Notice.Kind(kind)]


def claims(*, now: datetime) -> Iterator[Claim]:
    """Yield what is to be sent, a message at a time: first what was left unsent, then what is new."""
    left = Q(state=Notice.State.CLAIMED, claimed_at__lte=now - LEASE)
    messages = Notice.objects.filter(left).order_by("claimed_at", "message_id")
    for message_id, claimed_at in list(messages.values_list("message_id", "claimed_at").distinct()):
        yield partial(_claim_again, message_id, claimed_at, now)

    def message(due: DueNotice) -> tuple[int, str]:
        return due.borrower_id, topic_of(kind=due.kind)

    # Each worker in the same order, so that two wait for each other's rows and not round in a circle.
    found = sorted(due_notices(now=now), key=lambda due: (message(due), due.loan_id or due.hold_id or 0))
    for _key, together in groupby(found, key=message):
        yield partial(_claim, tuple(together), now)


def _claim(due: Sequence[DueNotice], now: datetime) -> str | None:
    """Write the rows under an id of our own; those that another worker wrote first stay that worker's."""
    message_id = _new_message_id()
    rows = [
        Notice(
            loan_id=each.loan_id,
            hold_id=each.hold_id,
            kind=each.kind,
            occasion=each.occasion,
            message_id=message_id,
            claimed_at=now,
        )
        for each in due
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    return message_id if Notice.objects.filter(message_id=message_id).exists() else None


def _claim_again(message_id: str, claimed_at: datetime, now: datetime) -> str | None:
    rows = Notice.objects.filter(message_id=message_id, state=Notice.State.CLAIMED, claimed_at=claimed_at)
    return message_id if rows.update(claimed_at=now, attempts=F("attempts") + 1) else None


def _new_message_id() -> str:
    # The domain of the sender: the name of the machine is nobody's business.
    return f"<{uuid4()}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2].strip('<> ')}>"
