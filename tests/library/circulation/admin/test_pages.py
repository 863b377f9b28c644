from datetime import timedelta

import pytest

from library.catalogue.models import Copy
from library.circulation.models import Loan
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

LOANS = "/admin/circulation/loan/"


def form(copy):
    return {
        "copy": copy.pk,
        "borrower": make_borrower().pk,
        "borrowed_at_0": "2024-06-01",
        "borrowed_at_1": "12:00",
        "due_at_0": "2024-06-29",
        "due_at_1": "12:00",
        "renewals": 0,
    }


def test_librarian_checks_out_a_copy():
    copy = make_copy()
    desk(make_librarian()).post(f"{LOANS}add/", form(copy))
    assert Loan.objects.get(copy=copy).borrowed_at == NOW
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts) == ("on_loan", 1)


def test_deleting_or_moving_a_loan_reconciles_copies():
    first, second = make_copy(), make_copy()
    client = desk(make_librarian())
    client.post(f"{LOANS}add/", form(first))
    loan = Loan.objects.get()
    client.post(f"{LOANS}{loan.pk}/change/", form(second))
    states = Copy.objects.order_by("pk").values_list("status", flat=True)
    assert list(states.all()) == ["available", "on_loan"]
    client.post(f"{LOANS}{loan.pk}/delete/", {"post": "yes"})
    assert list(states.all()) == ["available", "available"]


def test_copy_on_loan_is_not_lent_twice():
    loan = make_loan()
    response = desk(make_librarian()).post(f"{LOANS}add/", form(loan.copy))
    assert "This copy is already checked out." in response.content.decode()
    assert Loan.objects.get() == loan


def test_loans_filter_by_open_and_date():
    returned = make_loan(returned_at=NOW)
    out = make_loan(borrowed_at=NOW - timedelta(days=1))
    client = desk(make_librarian())
    rows = client.get(f"{LOANS}?returned_at__isempty=1").context["cl"].result_list
    assert list(rows) == [out]

    def borrowed(**days):
        days = {f"borrowed_at_{end}": day for end, day in days.items()}
        return set(client.get(LOANS, days).context["cl"].result_list)

    day, before = (loan.borrowed_at.date() for loan in (out, returned))
    assert borrowed(**{"from": before, "to": day}) == borrowed() == {returned, out}
    assert borrowed(to=before) == borrowed(**{"from": before, "to": before}) == {returned}
    assert borrowed(**{"from": day}) == {out}
    assert borrowed(**{"from": day, "to": before}) == set()
    assert borrowed(**{"from": "0001-01-01", "to": "9999-12-31"}) == {returned, out}
    assert borrowed(**{"from": "9999-12-31"}) == borrowed(to="0001-01-01") == set()
    # An invalid date is ignored.
    assert borrowed(**{"from": "2024-02-31", "to": "soon"}) == {returned, out}
    assert 'type="date"' in client.get(LOANS).content.decode()
