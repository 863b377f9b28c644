"""Scheduled reports: once a period, with a retry if the mail server refuses."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core import mail

from library.analytics.models import ScheduledReport
from library.analytics.services.refresh import refresh_statistics
from library.analytics.services.reports import last_period, send_reports
from library.analytics.tasks import send_reports as task
from library.circulation.models import LoanEvent
from tests.factories import make_book, make_branch, make_category
from tests.mail import mail_server

pytestmark = pytest.mark.django_db

MONDAY = datetime(2024, 6, 3, 6, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def by_email(settings):
    settings.NOTICES_BY_EMAIL = True


def make_report(**fields):
    return ScheduledReport.objects.create(
        **{"page": "overview", "email": "head@library.example", "frequency": "week"} | fields
    )


def check_out(*, day, branch=None, times=1):
    book = make_book()
    for _ in range(times):
        at = datetime(2024, 5, day, 12, tzinfo=UTC)
        LoanEvent.objects.create(kind="checkout", occurred_at=at, book=book, branch=branch)


def attached(message, name):
    (content,) = [content for file, content, _kind in message.attachments if file == name]
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))


def test_weekly_report_is_sent_once_after_the_week():
    east = make_branch(name="East")
    check_out(day=28, branch=east, times=3)
    check_out(day=28)
    check_out(day=20, branch=east)
    refresh_statistics(now=MONDAY)
    make_report(branch=east)
    assert send_reports(now=MONDAY) == {"sent": 1, "to_retry": 0}
    (message,) = mail.outbox
    assert message.to == ["head@library.example"]
    assert message.subject == "Library: Overview, 2024-W22"
    assert "Overview, 2024-W22 (East)" in message.body
    heading, *rows = attached(message, "overview-loans.csv")
    assert [(row[0], row[1]) for row in rows] == [
        (f"2024-{day}", "3" if day == "05-28" else "0")
        for day in ("05-27", "05-28", "05-29", "05-30", "05-31", "06-01", "06-02")
    ]
    assert heading[1] == "Checkouts"
    assert len(message.attachments) == 5
    assert send_reports(now=MONDAY + timedelta(days=6)) == {"sent": 0, "to_retry": 0}
    assert send_reports(now=MONDAY + WEEK) == {"sent": 1, "to_retry": 0}


@pytest.mark.parametrize("page", ScheduledReport.Page.values)
@pytest.mark.parametrize("language", ScheduledReport.Language.values)
def test_every_page_in_both_languages(page, language):
    check_out(day=28, times=6)
    refresh_statistics(now=MONDAY)
    make_report(page=page, language=language, frequency="month")
    assert send_reports(now=MONDAY)["sent"] == 1
    (message,) = mail.outbox
    assert ("附件" in message.body) == (language == "zh-hans")
    assert all(content for _name, content, _kind in message.attachments)


def test_unsupported_grouping_is_explained():
    make_report(category=make_category())
    assert send_reports(now=MONDAY)["sent"] == 1
    assert "cannot be broken down by book category" in mail.outbox[0].body
    assert len(mail.outbox[0].attachments) == 3


def test_refused_report_is_retried(settings):
    report = make_report()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    with mail_server() as server:
        settings.EMAIL_PORT = server.port
        server.rejected["head@library.example"] = 450
        assert send_reports(now=MONDAY) == {"sent": 0, "to_retry": 1}
        report.refresh_from_db()
        assert (report.last_period_sent, report.delivery_error) == (None, "SMTPRecipientsRefused")
        server.rejected.clear()
        assert send_reports(now=MONDAY) == {"sent": 1, "to_retry": 0}
        (message,) = server.messages
        names = [part.get_filename() for part in message.iter_attachments()]
        assert names[0] == "overview-loans.csv"
    report.refresh_from_db()
    assert (report.last_period_sent, report.delivery_error) == (date(2024, 5, 27), "")


def test_no_mail_server_sends_nothing(settings):
    settings.NOTICES_BY_EMAIL = False
    make_report()
    assert task() == {"sent": 0, "to_retry": 0}
    assert ScheduledReport.objects.get().last_period_sent is None


@pytest.mark.parametrize(
    ("frequency", "period"),
    [("week", (date(2024, 5, 27), date(2024, 6, 2))), ("month", (date(2024, 5, 1), date(2024, 5, 31)))],
)
def test_last_period_is_complete(frequency, period):
    assert last_period(now=MONDAY, frequency=frequency) == period
