import pytest

from tests.factories import make_borrower
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db


def test_borrowers_are_searched_by_card_number():
    make_borrower(card_number="P100")
    make_borrower(card_number="P200")
    page = desk(make_librarian()).get("/admin/people/borrower/?q=P100").content.decode()
    assert "P100</a>" in page
    assert "P200" not in page
