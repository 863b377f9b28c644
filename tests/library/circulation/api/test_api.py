import pytest

from library.circulation.models import Loan
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import api, make_librarian, make_reader
from tests.problems import faults

pytestmark = pytest.mark.django_db

LOANS = "/api/v1/loans/"


def test_a_librarian_lends_a_copy():
    copy, borrower = make_copy(), make_borrower()
    asked = {"barcode": copy.barcode, "card_number": borrower.card_number}
    answer = api(make_librarian()).post(LOANS, asked, format="json")
    assert answer.status_code == 201
    loan = Loan.objects.get()
    assert (loan.copy, loan.borrower, loan.returned_at) == (copy, borrower, None)
    assert answer.json() == {
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
        ({"copy": "lent"}, "This copy is already on loan."),
        ({"returned_at": "2024-05-01T12:00:00Z"}, "A copy cannot be returned before it was borrowed."),
        ({"due_at": "2024-05-01T12:00:00Z"}, "A loan cannot be due before it was made."),
    ],
)
def test_a_loan_that_cannot_be_is_refused_with_the_reason(changes, message):
    lent, loan = make_loan().copy, make_loan()
    changes = {name: lent.pk if value == "lent" else value for name, value in changes.items()}
    answer = api(make_librarian()).patch(f"{LOANS}{loan.pk}/", changes, format="json")
    assert answer.status_code == 400
    assert faults(answer.json()) == {"": [message]}


def test_a_librarian_takes_a_copy_back():
    loan = make_loan()
    answer = api(make_librarian()).patch(f"{LOANS}{loan.pk}/", {"returned_at": NOW}, format="json")
    assert answer.status_code == 200
    loan.refresh_from_db()
    assert loan.returned_at == NOW
    assert loan.copy.status == "available"


def test_a_returned_loan_cannot_be_opened_again_while_the_copy_is_out():
    returned = make_loan(returned_at=NOW)
    make_loan(copy=returned.copy, borrowed_at=NOW)
    answer = api(make_librarian()).patch(f"{LOANS}{returned.pk}/", {"returned_at": None}, format="json")
    assert faults(answer.json()) == {"": ["This copy is already on loan."]}


@pytest.mark.parametrize("name", ["borrower", "copy", "book"])
def test_loans_are_filtered_by(name):
    loan = make_loan()
    make_loan()
    key = {"borrower": loan.borrower_id, "copy": loan.copy_id, "book": loan.copy.book_id}[name]
    answer = api(make_librarian()).get(f"{LOANS}?{name}={key}")
    assert [row["id"] for row in answer.json()["results"]] == [loan.pk]


def test_open_loans_are_found():
    make_loan(returned_at=NOW)
    out = make_loan()
    answer = api(make_librarian()).get(f"{LOANS}?open=true")
    assert [row["id"] for row in answer.json()["results"]] == [out.pk]


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
def test_a_reader_sees_no_loans(method):
    make_loan()
    assert getattr(api(make_reader()), method)(LOANS).status_code == 403
