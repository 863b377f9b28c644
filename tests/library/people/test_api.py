import pytest

from library.people.models import Borrower
from tests.factories import make_borrower
from tests.logins import api, make_librarian, make_reader

pytestmark = pytest.mark.django_db

BORROWERS = "/api/v1/borrowers/"


def test_a_librarian_adds_a_borrower():
    answer = api(make_librarian()).post(BORROWERS, {"card_number": "P1"}, format="json")
    assert answer.status_code == 201
    assert Borrower.objects.get().card_number == "P1"


def test_a_librarian_finds_a_borrower_by_card_number():
    borrower = make_borrower(card_number="P1")
    make_borrower(card_number="P2")
    answer = api(make_librarian()).get(f"{BORROWERS}?card_number=P1")
    assert answer.json()["results"] == [{"id": borrower.pk, "card_number": "P1", "name": ""}]


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
def test_a_reader_sees_no_borrowers(method):
    make_borrower()
    assert getattr(api(make_reader()), method)(BORROWERS).status_code == 403
