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


def test_a_librarian_lends_a_copy():
    copy = make_copy()
    desk(make_librarian()).post(f"{LOANS}add/", form(copy))
    assert Loan.objects.get(copy=copy).borrowed_at == NOW
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts) == ("on_loan", 1)


def test_a_loan_that_is_deleted_or_moved_leaves_the_copies_right():
    one, other = make_copy(), make_copy()
    client = desk(make_librarian())
    client.post(f"{LOANS}add/", form(one))
    loan = Loan.objects.get()
    client.post(f"{LOANS}{loan.pk}/change/", form(other))
    states = Copy.objects.order_by("pk").values_list("status", flat=True)
    assert list(states.all()) == ["available", "on_loan"]
    client.post(f"{LOANS}{loan.pk}/delete/", {"post": "yes"})
    assert list(states.all()) == ["available", "available"]


def test_a_copy_that_is_out_is_not_lent_again():
    loan = make_loan()
    answer = desk(make_librarian()).post(f"{LOANS}add/", form(loan.copy))
    assert "This copy is already on loan." in answer.content.decode()
    assert Loan.objects.get() == loan


def test_loans_are_filtered_by_being_open_and_by_day():
    returned = make_loan(returned_at=NOW)
    out = make_loan(borrowed_at=NOW - timedelta(days=1))
    client = desk(make_librarian())
    found = client.get(f"{LOANS}?returned_at__isempty=1").context["cl"].result_list
    assert list(found) == [out]

    def borrowed(**days):
        days = {f"borrowed_at_{end}": day for end, day in days.items()}
        return set(client.get(LOANS, days).context["cl"].result_list)

    day, before = (one.borrowed_at.date() for one in (out, returned))
    assert borrowed(**{"from": before, "to": day}) == borrowed() == {returned, out}
    assert borrowed(to=before) == borrowed(**{"from": before, "to": before}) == {returned}
    assert borrowed(**{"from": day}) == {out}
    assert borrowed(**{"from": day, "to": before}) == set()
    assert borrowed(**{"from": "0001-01-01", "to": "9999-12-31"}) == {returned, out}
    assert borrowed(**{"from": "9999-12-31"}) == borrowed(to="0001-01-01") == set()
    # What is no day filters nothing.
    assert borrowed(**{"from": "2024-02-31", "to": "soon"}) == {returned, out}
    assert 'type="date"' in client.get(LOANS).content.decode()
