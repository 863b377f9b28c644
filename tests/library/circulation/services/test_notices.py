"""Notices to borrowers are sent once."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from library.circulation.models import Hold, Loan, Notice
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import expire_hold, place_hold
from library.circulation.services.lost import mark_lost
from library.circulation.services.notices import letters_to_print, mark_printed, send_notices
from library.circulation.services.notices.outbox import LEASE
from library.circulation.services.renewals import renew
from tests.databases import rolled_back
from tests.factories import NOW, make_book, make_borrower, make_branch, make_copy, make_loan, make_policy

pytestmark = pytest.mark.django_db

EMPTY = {"sent": 0, "messages": 0, "to_print": 0, "to_retry": 0, "dropped": 0, "problems": []}


def make_recipient(**fields):
    return make_borrower(**{"email": "anna@library.example", "name": "Anna Chen"} | fields)


def loan_due(days, **fields):
    """Create a loan due `days` days after today; before today if negative."""
    fields.setdefault("borrower", None)
    fields["borrower"] = fields["borrower"] or make_recipient()
    return make_loan(due_at=NOW + timedelta(days=days), borrowed_at=NOW - timedelta(days=400), **fields)


def kinds():
    return list(Notice.objects.order_by("pk").values_list("kind", "state"))


@pytest.mark.parametrize(
    ("days", "kind"),
    [
        (4, None),
        (3, "due_soon"),
        (0, "due_soon"),
        (-1, "overdue_1"),
        (-7, "overdue_1"),
        (-8, "overdue_2"),
        (-28, "overdue_2"),
        (-29, "overdue_3"),
        (-90, "overdue_3"),
        (-91, None),
    ],
)
def test_loan_gets_one_due_and_three_overdue_notices(days, kind):
    loan_due(days)
    send_notices(now=NOW)
    assert kinds() == ([(kind, "sent")] if kind else [])
    assert len(mail.outbox) == len(kinds())


def test_email_names_titles_and_due_dates():
    anna = make_recipient()
    loan_due(-2, borrower=anna, book=make_book(title="Optics & <Light>"))
    loan_due(-1, borrower=anna, book=make_book(title="Tea"))
    result = send_notices(now=NOW)
    assert result == EMPTY | {"sent": 2, "messages": 1}
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["anna@library.example"], "Library: overdue")
    assert message.body == (
        "Dear Anna Chen,\n\nThe following titles are overdue:\n\n"
        "  Optics & <Light>, due on 30 May 2024\n  Tea, due on 31 May 2024\n\n"
        "Please return them as soon as possible.\n\nLibrary\n"
    )
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    assert message.extra_headers["Message-ID"] == Notice.objects.first().message_id


def test_notice_language_can_be_chinese(settings):
    settings.NOTICE_LANGUAGE = "zh-hans"
    settings.LIBRARY_NAME = "市图书馆"
    loan_due(-30, borrower=make_recipient(name="王芳"), book=make_book(title="茶经"))
    send_notices(now=NOW)
    assert mail.outbox[0].subject == "市图书馆：逾期通知"
    assert "王芳，您好：" in mail.outbox[0].body
    assert "《茶经》，应还日期 2024年5月2日" in mail.outbox[0].body
    assert "最后一次通知" in mail.outbox[0].body


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_kind_has_templates_in_both_languages(settings, language):
    settings.NOTICE_LANGUAGE = language
    loan_due(1)
    loan_due(-1)
    hold_ready(pickup_branch=make_branch(name="North"))
    expired = hold_ready()
    Hold.objects.filter(pk=expired.pk).update(status="expired")
    assert send_notices(now=NOW)["messages"] == 4
    bodies = [message.body for message in mail.outbox]
    assert len(set(bodies)) == len({message.subject for message in mail.outbox}) == 4
    assert sum("North" in body for body in bodies) == 1


def hold_ready(**fields):
    copy = make_copy(status="on_hold_shelf")
    return Hold.objects.create(
        **{"book": copy.book, "borrower": make_recipient(), "copy": copy, "status": "ready", "position": 1}
        | fields,
        placed_at=NOW - timedelta(days=9),
        ready_at=NOW - timedelta(days=1),
    )


def test_second_run_sends_nothing():
    loan_due(-1)
    hold_ready()
    assert send_notices(now=NOW)["sent"] == 2
    assert send_notices(now=NOW + timedelta(hours=2)) == EMPTY
    assert len(mail.outbox) == 2


def test_renewed_loan_is_notified_again_when_overdue():
    make_policy(loan_days=1, renewal_days=1)
    loan = checkout(copy=make_copy(), borrower=make_recipient(), branch=None, now=NOW)
    send_notices(now=NOW + timedelta(days=2))
    renew(loan=loan, now=NOW + timedelta(days=2))
    send_notices(now=NOW + timedelta(days=4))
    assert [kind for kind, _state in kinds()] == ["overdue_1", "overdue_1"]
    assert len(mail.outbox) == 2


def test_hold_is_notified_when_ready_and_expired():
    make_policy()
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    hold = place_hold(book=loan.copy.book, borrower=make_recipient(), pickup_branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW)
    send_notices(now=NOW)
    expire_hold(hold=hold, now=NOW + timedelta(days=8))
    send_notices(now=NOW + timedelta(days=8))
    assert [kind for kind, _state in kinds()] == ["hold_ready", "hold_expired"]


def test_returned_and_lost_loans_get_no_notice():
    make_policy()
    returned, lost = loan_due(-1), loan_due(-1)
    checkin(copy=returned.copy, branch=None, now=NOW)
    mark_lost(copy=lost.copy, now=NOW)
    assert send_notices(now=NOW) == EMPTY


def test_borrower_without_email_gets_a_letter():
    loan = loan_due(-1, borrower=make_recipient(email="", name="=Bob", address="1 Mill Lane"))
    assert send_notices(now=NOW) == EMPTY | {"to_print": 1}
    (letter,) = letters_to_print()
    assert (letter.borrower, letter.subject) == (loan.borrower, "Library: overdue")
    assert "Dear =Bob," in letter.text
    assert mark_printed(notices=letter.notices, now=NOW) == 1
    assert mark_printed(notices=letter.notices, now=NOW) == 0
    assert list(letters_to_print()) == []
    assert kinds() == [("overdue_1", "printed")]


def test_without_email_all_notices_are_printed(settings):
    settings.NOTICES_BY_EMAIL = False
    loan_due(-1)
    assert send_notices(now=NOW) == EMPTY | {"to_print": 1}
    assert mail.outbox == []


def test_crashed_message_is_resent_with_the_same_message_id():
    loan = loan_due(-1)
    crashed = Notice.objects.create(
        loan=loan,
        kind="overdue_1",
        occasion=loan.due_at,
        message_id="<crashed@library.example>",
        claimed_at=NOW,
    )
    assert send_notices(now=NOW + LEASE - timedelta(seconds=1)) == EMPTY
    assert send_notices(now=NOW + LEASE) == EMPTY | {"sent": 1, "messages": 1}
    assert mail.outbox[0].extra_headers["Message-ID"] == "<crashed@library.example>"
    crashed.refresh_from_db()
    assert (crashed.state, crashed.attempts, crashed.sent_at) == ("sent", 2, NOW + LEASE)


def test_crashed_message_is_dropped_when_no_longer_true():
    loan = loan_due(-1)
    Notice.objects.create(
        loan=loan, kind="overdue_1", occasion=loan.due_at, message_id="<crashed@b>", claimed_at=NOW - LEASE
    )
    Loan.objects.update(returned_at=NOW)
    assert send_notices(now=NOW) == EMPTY | {"dropped": 1}
    assert kinds() == [("overdue_1", "dropped")]


def test_database_rejects_duplicate_notices():
    loan, hold = loan_due(-1), hold_ready()
    for subject in ({"loan": loan, "kind": "overdue_1"}, {"hold": hold, "kind": "hold_ready"}):
        row = {"occasion": NOW, "message_id": "<a@b>", "claimed_at": NOW} | subject
        Notice.objects.create(**row)
        with pytest.raises(IntegrityError), transaction.atomic():
            Notice.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Notice.objects.create(loan=loan, hold=hold, occasion=NOW, message_id="<a@b>", claimed_at=NOW)


@pytest.mark.parametrize("borrowers", [2, 20])
def test_query_count_per_message_is_constant(borrowers, django_assert_num_queries):
    for _ in range(borrowers):
        anna = make_recipient()
        loan_due(-1, borrower=anna)
        loan_due(-2, borrower=anna)
    # One query per kind and one for crashed messages; each message is claimed, found, read and marked.
    with django_assert_num_queries(7 + borrowers * 4):
        assert send_notices(now=NOW)["messages"] == borrowers


@given(days=st.lists(st.integers(0, 120), min_size=1, max_size=12))
def test_any_schedule_of_runs_sends_each_notice_at_most_once(days):
    with rolled_back():
        loan = loan_due(3)
        for day in sorted(days):
            send_notices(now=NOW + timedelta(days=day))
        sent = [kind for kind, _state in kinds()]
        order = ["due_soon", "overdue_1", "overdue_2", "overdue_3"]
        # Each at most once, in order, and only those with a run on their days; overdue from day 4.
        days_overdue = [day - 3 for day in sorted(set(days))]
        periods = [(-3, 0), (1, 7), (8, 28), (29, 90)]
        assert sent == [
            kind
            for kind, (first, last) in zip(order, periods, strict=True)
            if any(first <= number <= last for number in days_overdue)
        ]
        assert set(Notice.objects.values_list("loan", flat=True)) <= {loan.pk}
