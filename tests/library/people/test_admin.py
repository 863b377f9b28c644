import pytest
from django.contrib.auth.models import User

from library.people.models import Borrower, BorrowerCategory
from library.people.selectors import search_borrowers
from tests.classifier.factories import make_feedback, make_recommendation
from tests.factories import make_borrower, make_loan
from tests.library.people.keyrings import put_token
from tests.logins import api, desk, make_librarian

pytestmark = pytest.mark.django_db

BORROWERS = "/admin/people/borrower/"


def administrator():
    return desk(User.objects.create_superuser("root"))


@pytest.mark.parametrize("query", ["P100", "anna", "chen+Anna", "anna%40example.org", "030 1234"])
def test_search_by_whole_words(query):
    make_borrower(card_number="P100", name="Anna Chen", email="anna@example.org", phone="0301234")
    make_borrower(card_number="P200", name="Annabel")
    page = desk(make_librarian()).get(f"{BORROWERS}?q={query}").content.decode()
    assert "P100</a>" in page
    assert "P200" not in page


def test_borrower_is_saved_with_its_search_terms():
    BorrowerCategory.objects.create(code="staff", name="Staff")
    client = administrator()
    new = {
        "card_number": "P1",
        "name": "Anna Chen",
        "email": "anna@example.org",
        "phone": "030 1234",
        "address": "1 Long Lane\r\nBerlin",
        "category": BorrowerCategory.objects.get().pk,
        "blocked": "owes a book",
        "retention": "keep",
        "excluded_from_statistics": True,
    }
    assert client.post(f"{BORROWERS}add/", new).status_code == 302
    borrower = Borrower.objects.get()
    assert {field: getattr(borrower, field) for field in new if field != "category"} == {
        field: value for field, value in new.items() if field != "category"
    }
    assert borrower.category.code == "staff"
    page = client.get(f"{BORROWERS}{borrower.pk}/change/").content.decode()
    assert 'value="anna@example.org"' in page
    assert "Long Lane" in page.partition("<textarea")[2]
    assert client.post(f"{BORROWERS}{borrower.pk}/change/", new | {"name": "Bo Chen"}).status_code == 302
    assert [search_borrowers(query=query).count() for query in ("anna", "bo", "0301234")] == [0, 1, 1]


def test_invalid_value_is_shown_at_its_field():
    page = administrator().post(f"{BORROWERS}add/", {"card_number": "P1", "email": "anna"}).content.decode()
    assert "Enter a valid email address." in page
    assert not Borrower.objects.exists()


def test_list_is_not_sorted_by_encrypted_fields():
    make_borrower(card_number="P1", name="Anna")
    page = desk(make_librarian()).get(BORROWERS).content.decode()
    assert [column in page for column in ("?o=-0", "?o=1", "?o=2")] == [True, False, True]


def test_autocomplete_finds_a_borrower_by_name():
    borrower = make_borrower(card_number="P1", name="Anna Chen")
    make_borrower(card_number="P2", name="Bo")
    address = "/admin/autocomplete/?app_label=circulation&model_name=loan&field_name=borrower&term=anna"
    assert desk(make_librarian()).get(address).json()["results"] == [{"id": str(borrower.pk), "text": "P1"}]


def test_delete_page_does_not_list_search_terms():
    borrower = make_borrower(card_number="P1", name="Anna Chen")
    client = administrator()
    page = client.get(f"{BORROWERS}{borrower.pk}/delete/").content.decode()
    assert "P1" in page
    assert "earch term" not in page
    assert client.post(f"{BORROWERS}{borrower.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Borrower.objects.exists()


def test_borrower_categories_are_saved():
    client = administrator()
    assert (
        client.post("/admin/people/borrowercategory/add/", {"code": "staff", "name": "Staff"}).status_code
        == 302
    )
    assert "Staff" in client.get("/admin/people/borrowercategory/?q=sta").content.decode()


def test_lists_with_card_numbers_decrypt_nothing():
    """A value that cannot be decrypted would break a list that reads it."""
    loan = make_loan(borrower=make_borrower(card_number="P1"))
    make_recommendation(borrower=loan.borrower, book=loan.copy.book)
    make_feedback(borrower=loan.borrower, book=loan.copy.book)
    put_token(loan.borrower, "damaged")
    user = make_librarian()
    for address in ("/api/v1/loans/", "/api/v1/recommendations/", "/api/v1/feedback/"):
        assert api(user).get(address).json()["results"][0]["card_number"] == "P1"
    for address in (
        "/admin/circulation/loan/",
        "/admin/classifier/recommendation/",
        "/admin/classifier/feedback/",
    ):
        assert "P1" in desk(user).get(address).content.decode()
