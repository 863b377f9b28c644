import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.overdue import days_late, fine_so_far, overdue_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.lost import mark_lost
from library.circulation.services.renewals import renew
from library.people.models import AuditEntry
from tests.databases import rolled_back
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_item_type,
    make_loan,
    make_policy,
)
from tests.logins import api, desk, make_librarian

pytestmark = pytest.mark.django_db

PAGE = "/admin/circulation/overdueloan/"


def make_overdue(days, **fields):
    """Create a loan that is `days` days overdue at the current time."""
    due = timezone.now() - timedelta(days=days)
    return make_loan(borrowed_at=due - timedelta(days=28), due_at=due, **fields)


def listed(client, **query):
    return list(client.get(PAGE, query).context["cl"].result_list)


def overdue(now):
    return list(overdue_loans(now=now, loans=Loan.objects.all()))


def test_loan_is_overdue_from_the_day_after_its_due_date():
    loan = make_loan(due_at=NOW)
    assert overdue(NOW + timedelta(hours=11)) == []
    assert overdue(NOW + timedelta(hours=12)) == [loan]
    assert days_late(loan=loan, now=NOW + timedelta(hours=11)) == 0
    assert days_late(loan=loan, now=NOW + timedelta(hours=12)) == 1


def test_returned_and_lost_loans_are_not_overdue():
    make_policy(loan_days=1)
    returned, lost = (
        checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW) for _ in range(2)
    )
    later = NOW + timedelta(days=9)
    assert overdue(later) == [returned, lost]
    checkin(copy=returned.copy, branch=None, now=later)
    mark_lost(copy=lost.copy, now=later)
    assert overdue(later) == []


@given(st.integers(0, 30), st.integers(0, 4), st.integers(0, 12), st.booleans(), st.integers(1, 20))
def test_fine_so_far_matches_a_checkin_now(days, grace, cap, renewed, days_after):
    with rolled_back():
        make_policy(
            loan_days=1,
            renewal_days=1,
            fine_per_day="0.70",
            grace_days=grace,
            fine_cap=cap,
            renewals_allowed=1,
        )
        loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
        now = NOW + timedelta(days=days)
        if renewed and cap <= 10:  # a balance above the limit blocks renewals
            renew(loan=loan, now=now)
            now += timedelta(days=days_after)
        shown = {loan.pk: fine_so_far(loan=loan, now=now) for loan in overdue(now)}
        charged = checkin(copy=loan.copy, branch=None, now=now).fine
        assert shown.get(loan.pk, Decimal(0)) == charged


def test_page_lists_longest_overdue_first():
    terms = {"renewals_allowed": 0, "renewal_days": 0, "grace_days": 1, "fine_per_day": 1, "fine_cap": 5}
    make_overdue(3, book=make_book(title="Tea"), **terms)
    anna = make_borrower(card_number="P-77", name="Anna Chen", category=make_borrower_category(name="Staff"))
    make_overdue(40, book=make_book(title="Optics"), borrower=anna, branch=make_branch(name="North"), **terms)
    make_overdue(-1)
    client = desk(make_librarian())
    rows = listed(client)
    assert [loan.copy.book.title for loan in rows] == ["Optics", "Tea"]
    page = client.get(PAGE).content.decode()
    for text in ("P-77", "Staff", "North", ">40<", "5.00", "2.00"):
        assert text in page
    assert "Anna" not in page


def test_page_filters():
    branch, staff, films = make_branch(), make_borrower_category(), make_item_type()
    make_overdue(1)
    at_branch = make_overdue(2, branch=branch)
    of_staff = make_overdue(3, borrower=make_borrower(category=staff))
    film = make_overdue(4, copy=make_copy(item_type=films))
    old = make_overdue(30)
    client = desk(make_librarian())
    assert listed(client, branch__id__exact=branch.pk) == [at_branch]
    assert listed(client, borrower__category__id__exact=staff.pk) == [of_staff]
    assert listed(client, copy__item_type__id__exact=films.pk) == [film]
    assert listed(client, days_late="30") == [old]
    assert len(listed(client, days_late="invalid")) == 5


@pytest.mark.parametrize("number", [5, 200])
def test_page_has_constant_query_count(number, django_assert_num_queries):
    for index in range(number):
        loan = make_overdue(index % 50 + 1, branch=make_branch(), copy=make_copy(item_type=make_item_type()))
        FineEntry.objects.create(
            loan=loan, borrower=loan.borrower, kind="charge", amount=1, created_at=timezone.now()
        )
    client = desk(make_librarian())
    # Session and user, permissions (of the user and the group), choices of three filters, count, rows, audit
    # entry and its records.
    with django_assert_num_queries(11):
        response = client.get(PAGE)
    assert len(response.context["cl"].result_list) == min(number, 50)
    with django_assert_num_queries(11):
        client.get(f"{PAGE}?days_late=2")


def test_csv_is_complete_escaped_and_audited():
    loans = [make_overdue(9, book=make_book(title="=HYPERLINK(1)"))] + [make_overdue(2) for _ in range(60)]
    make_overdue(1)
    response = desk(make_librarian()).get(f"{PAGE}export/?days_late=7")
    (heading, row) = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
    assert heading[0] == "title"
    assert row[0] == "'=HYPERLINK(1)"
    assert row[1:3] == [loans[0].copy.barcode, loans[0].borrower.card_number]
    assert row[6:] == ["9", "0.00"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_type, entry.record_keys) == (
        "exported",
        "circulation.loan",
        [str(loans[0].pk)],
    )
    everything = desk(User.objects.get()).get(f"{PAGE}export/").content.decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(everything)))) == 1 + 62


def test_page_view_is_audited_as_loans():
    loan = make_overdue(3)
    desk(make_librarian()).get(PAGE)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_type, entry.record_keys) == (
        "searched",
        "circulation.loan",
        [str(loan.pk)],
    )


def test_api_filters_by_overdue():
    loan, other = make_overdue(3), make_overdue(-3)
    client = api(make_librarian())
    for value, expected in (("true", [loan.pk]), ("false", [other.pk])):
        rows = client.get(f"/api/v1/loans/?overdue={value}").json()["results"]
        assert [row["id"] for row in rows] == expected
