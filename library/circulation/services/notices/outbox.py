"""Claim messages in the database before they are sent, so that only one worker sends each."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from uuid import uuid4

from django.conf import settings
from django.db.models import F, Q

from library.circulation.models import Notice
from library.circulation.selectors.notices import DueNotice, due_notices

#: A worker that has not recorded the result by then has crashed. Much longer than the mail server may take
#: (EMAIL_TIMEOUT).
LEASE = timedelta(hours=1)

#: Claims one message when called and returns its id; None if another worker has it.
Claim = Callable[[], str | None]

_TOPICS = {
    Notice.Kind.DUE_SOON: "due_soon",
    **dict.fromkeys(Notice.OVERDUE, "overdue"),
    Notice.Kind.HOLD_READY: "hold_ready",
    Notice.Kind.HOLD_EXPIRED: "hold_expired",
}


def topic_of(*, kind: str) -> str:
    """Return the topic of a notice; all notices of a borrower on one topic share a message."""
    return _TOPICS[Notice.Kind(kind)]


def claims(*, now: datetime) -> Iterator[Claim]:
    """Yield the claims of messages to send: first unfinished ones, then new ones."""
    unfinished = Q(state=Notice.State.CLAIMED, claimed_at__lte=now - LEASE)
    messages = Notice.objects.filter(unfinished).order_by("claimed_at", "message_id")
    for message_id, claimed_at in list(messages.values_list("message_id", "claimed_at").distinct()):
        yield partial(_claim_again, message_id, claimed_at, now)

    def message(due: DueNotice) -> tuple[int, str]:
        return due.borrower_id, topic_of(kind=due.kind)

    # The same order in each worker, so that workers wait for each other's rows without a deadlock.
    notices = sorted(due_notices(now=now), key=lambda due: (message(due), due.loan_id or due.hold_id or 0))
    for _key, group in groupby(notices, key=message):
        yield partial(_claim, tuple(group), now)


def _claim(due: Sequence[DueNotice], now: datetime) -> str | None:
    """Insert rows under a new message id; rows that another worker inserted first stay with that worker."""
    message_id = _new_message_id()
    rows = [
        Notice(
            loan_id=notice.loan_id,
            hold_id=notice.hold_id,
            kind=notice.kind,
            occasion=notice.occasion,
            message_id=message_id,
            claimed_at=now,
        )
        for notice in due
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    return message_id if Notice.objects.filter(message_id=message_id).exists() else None


def _claim_again(message_id: str, claimed_at: datetime, now: datetime) -> str | None:
    rows = Notice.objects.filter(message_id=message_id, state=Notice.State.CLAIMED, claimed_at=claimed_at)
    return message_id if rows.update(claimed_at=now, attempts=F("attempts") + 1) else None


def _new_message_id() -> str:
    # The domain of the sender: the host name must not leak.
    return f"<{uuid4()}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2].strip('<> ')}>"
