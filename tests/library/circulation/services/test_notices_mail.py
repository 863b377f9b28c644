"""Mail servers that reject, disconnect or are unreachable; concurrent workers."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from library.circulation.models import Notice
from library.circulation.services.notices import MailServerError, letters_to_print, send_notices
from library.circulation.services.notices.outbox import LEASE
from tests.databases import both_databases, in_thread
from tests.factories import NOW, make_borrower, make_loan
from tests.mail import mail_server


@pytest.fixture
def server(settings):
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def overdue_loan(email):
    borrower = make_borrower(email=email, name="Anna Chen")
    return make_loan(borrower=borrower, borrowed_at=NOW - timedelta(days=9), due_at=NOW - timedelta(days=1))


def receivers(server):
    return Counter(message["To"] for message in server.messages)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "code", "problem"),
    [("stopped@library.example", 550, "550"), ("a\nb@library.example", None, "ValueError")],
)
def test_rejected_address_gets_a_letter(server, caplog, address, code, problem):
    refused = overdue_loan(address)
    overdue_loan("one@library.example")
    overdue_loan("two@library.example")
    server.rejected = {address: code} if code else {}
    result = send_notices(now=NOW)
    assert receivers(server) == {"one@library.example": 1, "two@library.example": 1}
    assert (result["sent"], result["to_print"], result["to_retry"]) == (2, 1, 0)
    assert result["problems"] == [{"borrower": refused.borrower_id, "problem": problem}]
    assert [letter.borrower for letter in letters_to_print()] == [refused.borrower]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"A notice to borrower {refused.borrower_id} was not sent: {problem}"]


@pytest.mark.django_db
def test_temporary_failure_is_printed_after_three_attempts(server):
    overdue_loan("full@library.example")
    server.rejected = {"full@library.example": 452}
    runs = [send_notices(now=NOW + number * LEASE) for number in range(4)]
    assert [(run["to_retry"], run["to_print"]) for run in runs] == [(1, 0), (1, 0), (0, 1), (0, 0)]
    assert Notice.objects.get().problem == "452"


@pytest.mark.django_db
def test_temporary_failure_is_retried(server):
    overdue_loan("full@library.example")
    server.rejected = {"full@library.example": 452}
    send_notices(now=NOW)
    server.rejected = {}
    send_notices(now=NOW + LEASE)
    notice = Notice.objects.get()
    assert (notice.state, notice.attempts, notice.problem) == ("sent", 2, "")
    assert [message["Message-ID"] for message in server.messages] == [notice.message_id]


@pytest.mark.django_db
def test_without_mail_server_nothing_is_claimed(settings):
    with mail_server() as stopped:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", stopped.port
    overdue_loan("one@library.example")
    with pytest.raises(
        MailServerError, match=r"ConnectionRefusedError\): check EMAIL_URL\. Notices sent: 0;"
    ):
        send_notices(now=NOW)
    assert not Notice.objects.exists()
    with mail_server() as server:
        settings.EMAIL_PORT = server.port
        assert send_notices(now=NOW)["sent"] == 1


@both_databases
def test_concurrent_workers_send_nothing_twice(database, server):
    loans = [overdue_loan(f"borrower{number}@library.example") for number in range(12)]
    crashed = overdue_loan("crashed@library.example")
    Notice.objects.create(
        loan=crashed,
        kind="overdue_1",
        occasion=crashed.due_at,
        message_id="<crashed@library.example>",
        claimed_at=NOW - LEASE,
    )
    with ThreadPoolExecutor(4) as threads:
        runs = [in_thread(threads, lambda: send_notices(now=NOW)) for _ in range(4)]
        sent = [run.result()["sent"] for run in runs]
    assert sum(sent) == len(loans) + 1
    assert set(receivers(server).values()) == {1}
    assert len(receivers(server)) == len(loans) + 1
    assert set(Notice.objects.values_list("state", flat=True)) == {"sent"}
