"""Send notices at least once; duplicates occur only after a crash between sending and recording.

A notice is claimed before its mail is sent and marked afterwards, in two transactions. A unique constraint on
loan, kind and due date keeps two workers from sending the same notice. After a crash between the two, it is
unknown whether the mail was sent: a run at least an hour later sends it again with the same Message-ID, so
that a mail server can drop the duplicate. Never sending again would let borrowers pay fines without a
warning.
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

#: After this many failed attempts the notice is printed instead.
MAX_ATTEMPTS = 3


class MailServerError(LibraryError):
    """The mail server cannot be reached."""


@dataclass(slots=True)
class Outcome:
    """Counts of a run, in notices; it contains keys only, so it may be logged."""

    sent: int = 0
    messages: int = 0
    to_print: int = 0
    to_retry: int = 0
    dropped: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)


def send_notices(*, now: datetime) -> dict[str, Any]:
    """Send the notices that are due and not yet sent.

    Safe to run at any time, repeatedly and concurrently. A notice goes to the list to print if the borrower
    has no e-mail address or the mail server rejects it permanently; after any other failure, a later run
    retries.

    Returns
    -------
    dict
        The numbers of notices `sent` (in `messages`), `to_print`, `to_retry` and `dropped` (no longer true),
        and `problems`, each with the borrower's key and the mail server's code.

    Raises
    ------
    MailServerError
        If the mail server cannot be reached; unsent notices stay due.
    """
    outcome = Outcome()
    with _MailServer(outcome) as server:
        for claim in claims(now=now):
            server.open()
            if message_id := claim():
                _deliver(message_id, server, outcome, now)
    return asdict(outcome)


def mark_printed(*, notices: Collection[Notice], now: datetime) -> int:
    """Mark notices as printed; return the number that were not yet printed."""
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices], state=Notice.State.TO_PRINT)
    return rows.update(state=Notice.State.PRINTED, sent_at=now)


class _MailServer:
    """A connection opened on demand and reopened after a failure."""

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
                "Cannot connect to the mail server (%(error)s): check EMAIL_URL. Notices sent: "
                "%(sent)s; the rest will be sent on the next run."
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
            # The state of the connection is unknown: the next message gets a new one.
            self._connection.close()
            raise


def _deliver(message_id: str, server: _MailServer, outcome: Outcome, now: datetime) -> None:
    claimed = list(with_borrowers(Notice.objects.filter(message_id=message_id, state=Notice.State.CLAIMED)))
    notices = [notice for notice in claimed if is_still_due(notice=notice)]
    outcome.dropped += _mark([notice for notice in claimed if notice not in notices], Notice.State.DROPPED)
    if not notices:
        return
    letter = compose(notices=notices)
    if not (settings.NOTICES_BY_EMAIL and letter.borrower.email):
        outcome.to_print += _mark(notices, Notice.State.TO_PRINT)
        return
    try:
        server.send(letter, message_id)
    except (OSError, ValueError) as error:  # ValueError: a value not allowed in a header
        problem = _code(error)
        logger.warning("A notice to borrower %s was not sent: %s", letter.borrower.pk, problem)
        outcome.problems.append({"borrower": letter.borrower.pk, "problem": problem})
        if _is_permanent(error) or notices[0].attempts >= MAX_ATTEMPTS:
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


def _is_permanent(error: Exception) -> bool:
    codes = _smtp_codes(error)
    return isinstance(error, ValueError) or (bool(codes) and all(500 <= code < 600 for code in codes))


def _code(error: Exception) -> str:
    """Return the error as a code; the mail server's message may repeat the e-mail address."""
    return " ".join(map(str, _smtp_codes(error))) or type(error).__name__
