import pytest

from library.circulation.models import Loan
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import api, make_librarian, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

LOANS = "/api/v1/loans/"


def test_librarian_checks_out_a_copy():
    copy, borrower = make_copy(), make_borrower()
    data = {"barcode": copy.barcode, "card_number": borrower.card_number}
    response = api(make_librarian()).post(LOANS, data, format="json")
    assert response.status_code == 201
    loan = Loan.objects.get()
    assert (loan.copy, loan.borrower, loan.returned_at) == (copy, borrower, None)
    assert response.json() == {
        "id": loan.pk,
        "copy": copy.pk,
        "barcode": copy.barcode,
        "book": copy.book_id,
        "title": copy.book.title,
        "borrower": borrower.pk,
        "card_number": borrower.card_number,
        "borrowed_at": loan.borrowed_at.isoformat().replace("+00:00", "Z"),
        "due_at": loan.due_at.isoformat().replace("+00:00", "Z"),
        "returned_at": None,
        "renewals": 0,
        "lost_at": None,
        "branch": None,
    }
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts) == ("on_loan", 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"copy": "on loan"}, "This copy is already checked out."),
        ({"returned_at": "2024-05-01T12:00:00Z"}, "A copy cannot be returned before it was checked out."),
        ({"due_at": "2024-05-01T12:00:00Z"}, "The due date cannot be before the checkout date."),
    ],
)
def test_invalid_loan_is_rejected_with_the_reason(changes, message):
    copy, loan = make_loan().copy, make_loan()
    changes = {name: copy.pk if value == "on loan" else value for name, value in changes.items()}
    response = api(make_librarian()).patch(f"{LOANS}{loan.pk}/", changes, format="json")
    assert response.status_code == 400
    assert errors_by_place(response.json()) == {"": [message]}


def test_librarian_checks_in_a_copy():
    loan = make_loan()
    response = api(make_librarian()).patch(f"{LOANS}{loan.pk}/", {"returned_at": NOW}, format="json")
    assert response.status_code == 200
    loan.refresh_from_db()
    assert loan.returned_at == NOW
    assert loan.copy.status == "available"


def test_loan_cannot_be_reopened_while_the_copy_is_out():
    returned = make_loan(returned_at=NOW)
    make_loan(copy=returned.copy, borrowed_at=NOW)
    response = api(make_librarian()).patch(f"{LOANS}{returned.pk}/", {"returned_at": None}, format="json")
    assert errors_by_place(response.json()) == {"": ["This copy is already checked out."]}


@pytest.mark.parametrize("name", ["borrower", "copy", "book"])
def test_loans_filter(name):
    loan = make_loan()
    make_loan()
    key = {"borrower": loan.borrower_id, "copy": loan.copy_id, "book": loan.copy.book_id}[name]
    response = api(make_librarian()).get(f"{LOANS}?{name}={key}")
    assert [row["id"] for row in response.json()["results"]] == [loan.pk]


def test_open_loans_filter():
    make_loan(returned_at=NOW)
    out = make_loan()
    response = api(make_librarian()).get(f"{LOANS}?open=true")
    assert [row["id"] for row in response.json()["results"]] == [out.pk]


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
def test_user_without_permission_sees_no_loans(method):
    make_loan()
    assert getattr(api(make_user_without_permissions()), method)(LOANS).status_code == 403
