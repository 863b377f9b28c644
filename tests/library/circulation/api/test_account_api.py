"""Borrower accounts in the API."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.circulation.models import FineEntry, Hold
from library.people.models import AuditEntry
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import api, make_librarian, make_user_without_permissions

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return api(make_librarian())


def test_account_lists_loans_holds_fines_and_blocks(client, settings):
    borrower = make_borrower(card_number="P1", name="Zyxwvut", blocked="moved away")
    later, loan = make_loan(borrower=borrower, due_at=NOW + timedelta(days=9)), make_loan(borrower=borrower)
    loan.due_at = NOW
    loan.save()
    returned = make_loan(borrower=borrower, returned_at=NOW)
    hold = Hold.objects.create(book=make_copy().book, borrower=borrower, position=1, placed_at=NOW)
    Hold.objects.create(book=hold.book, borrower=borrower, position=2, placed_at=NOW, status="cancelled")
    FineEntry.objects.create(loan=returned, borrower=borrower, kind="charge", amount=12, created_at=NOW)
    account = client.get(f"/api/v1/borrowers/{borrower.pk}/account/").json()
    assert (account["borrower"], account["card_number"]) == (borrower.pk, "P1")
    assert [row["id"] for row in account["loans"]] == [loan.pk, later.pk]
    assert [row["id"] for row in account["holds"]] == [hold.pk]
    assert account["owed"] == "12.00"
    assert account["fines"] == [{"loan": returned.pk, "title": returned.copy.book.title, "owed": "12.00"}]
    assert [reason["code"] for reason in account["blocks"]] == ["blocked", "overdue_fines"]
    assert "Zyxwvut" not in str(account)
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.object_type, entry.object_key) == (
        "viewed",
        "people.borrower",
        str(borrower.pk),
    )


def test_account_has_constant_query_count(client):
    borrower = make_borrower()
    counts = []
    for _ in range(2):
        for _ in range(3):
            loan = make_loan(borrower=borrower)
            FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, created_at=NOW)
            Hold.objects.create(book=loan.copy.book, borrower=borrower, position=1, placed_at=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/api/v1/borrowers/{borrower.pk}/account/").status_code == 200
        counts.append(len(queries))
    # The first request also reads the permissions of the user.
    assert counts == [9, 7]


def test_account_needs_permissions(client):
    borrower = make_borrower()
    url = f"/api/v1/borrowers/{borrower.pk}/account/"
    assert api(make_user_without_permissions()).get(url).status_code == 403
    assert client.get("/api/v1/borrowers/0/account/").status_code == 404
