"""Telling borrowers: at least once, and once unless the server crashes between the mail and the mark.

A row is claimed before its mail goes out and marked when it has, each in a transaction of its own. No two
workers send the same, for the database keeps a loan's notice of a kind and a due date unique. After a crash
in between, nobody knows whether the mail went: a run an hour later or more sends it again under the same
Message-ID, so that a mail server can drop the duplicate. The other choice, never to send again, would leave
borrowers untold who then pay for it.
"""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from smtplib import SMTPDataError, SMTPRecipientsRefused
from types import TracebackType
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

from library.circulation.models import Notice
from library.circulation.selectors.notices import is_still_due
from library.circulation.services.notices.outbox import claims
from library.circulation.services.notices.rendering import Letter, compose, with_borrowers
from library.errors import LibraryError

logger = logging.getLogger(__name__)

#: What a mail server does not take the third time it will not take the fourth: then a letter is printed.
MOST_ATTEMPTS = 3


class MailServerError(LibraryError):
    """The mail server does not answer at all."""


@dataclass(slots=True)
class Outcome:
    """What a run did, in notices; what it names is keys, so that it may be logged."""

    sent: int = 0
    messages: int = 0
    to_print: int = 0
    to_retry: int = 0
    dropped: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)


def send_notices(*, now: datetime) -> dict[str, Any]:
    """Tell borrowers what they are to be told by now and have not been.

    Safe to run at any time, again, and by several at once. An address that is refused for good, and a
    borrower without one, puts the notice on the list to print; any other failure is tried again by a later
    run.

    Parameters
    ----------
    now : datetime

    Returns
    -------
    dict
        The numbers of notices `sent` (in `messages`), `to_print`, `to_retry` and `dropped` (no longer so),
        and `problems`: a borrower's key and the mail server's code each.

    Raises
    ------
    MailServerError
        Where there is no mail server; what is not sent stays due.
    """
    outcome = Outcome()
    with _MailServer(outcome) as server:
        for claim in claims(now=now):
            server.open()
            if message_id := claim():
                _deliver(message_id, server, outcome, now)
    return asdict(outcome)


def mark_printed(*, notices: Collection[Notice], now: datetime) -> int:
    """Record that letters were printed; return of how many notices, less those that were printed before."""
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices], state=Notice.State.TO_PRINT)
    return rows.update(state=Notice.State.PRINTED, sent_at=now)


class _MailServer:
    """A connection that is opened when needed and again after a failure."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._connection = get_connection()

    def __enter__(self) -> "_MailServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def open(self) -> None:
        if not settings.NOTICES_BY_EMAIL:
            return
        try:
            self._connection.open()
        except OSError as error:
            text = _(
                "The mail server does not answer (%(error)s): check EMAIL_URL. %(sent)s notices were sent; "
                "the others go out with the next run."
            )
            values = {"error": _code(error), "sent": self._outcome.sent}
            raise MailServerError(text % values, **asdict(self._outcome)) from error

    def send(self, letter: Letter, message_id: str) -> None:
        message = EmailMessage(
            letter.subject,
            letter.text,
            to=[letter.borrower.email],
            headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        )
        try:
            self._connection.send_messages([message])
        except OSError:
            # Whatever state it is in: the next message gets a new one.
            self._connection.close()
            raise


def _deliver(message_id: str, server: _MailServer, outcome: Outcome, now: datetime) -> None:
    claimed = list(with_borrowers(Notice.objects.filter(message_id=message_id, state=Notice.State.CLAIMED)))
    notices = [notice for notice in claimed if is_still_due(notice=notice)]
    outcome.dropped += _mark([each for each in claimed if each not in notices], Notice.State.DROPPED)
    if not notices:
        return
    letter = compose(notices=notices)
    if not (settings.NOTICES_BY_EMAIL and letter.borrower.email):
        outcome.to_print += _mark(notices, Notice.State.TO_PRINT)
        return
    try:
        server.send(letter, message_id)
    except (OSError, ValueError) as error:  # ValueError: what can stand in no header
        problem = _code(error)
        logger.warning("A notice to borrower %s was not sent: %s", letter.borrower.pk, problem)
        outcome.problems.append({"borrower": letter.borrower.pk, "problem": problem})
        if _is_for_good(error) or notices[0].attempts >= MOST_ATTEMPTS:
            outcome.to_print += _mark(notices, Notice.State.TO_PRINT, problem=problem)
        else:
            outcome.to_retry += _mark(notices, Notice.State.CLAIMED, problem=problem)
    else:
        outcome.messages += 1
        outcome.sent += _mark(notices, Notice.State.SENT, sent_at=now, problem="")


def _mark(notices: Collection[Notice], state: Notice.State, **changes: object) -> int:
    if not notices:
        return 0
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices], state=Notice.State.CLAIMED)
    return rows.update(state=state, **changes)


def _smtp_codes(error: Exception) -> list[int]:
    if isinstance(error, SMTPRecipientsRefused):
        return [code for code, _text in error.recipients.values()]
    if isinstance(error, SMTPDataError):
        return [error.smtp_code]
    return []


def _is_for_good(error: Exception) -> bool:
    codes = _smtp_codes(error)
    return isinstance(error, ValueError) or (bool(codes) and all(500 <= code < 600 for code in codes))


def _code(error: Exception) -> str:
    """Return what went wrong in a word: the mail server's sentence may repeat the address."""
    return " ".join(map(str, _smtp_codes(error))) or type(error).__name__
