import pytest

from library.people.models import Borrower, BorrowerCategory
from library.people.selectors import search_borrowers
from tests.factories import make_borrower
from tests.logins import api, make_librarian, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

BORROWERS = "/api/v1/borrowers/"

PERSON = {
    "card_number": "P1",
    "name": "Anna Chen",
    "email": "anna@example.org",
    "phone": "030 1234",
    "address": "1 Long Lane\nBerlin",
    "blocked": "",
    "retention": "anonymise",
    "excluded_from_statistics": True,
}


def test_librarian_creates_a_borrower():
    category = BorrowerCategory.objects.create(code="staff", name="Staff")
    new = PERSON | {"category": category.pk}
    response = api(make_librarian()).post(BORROWERS, new, format="json")
    borrower = Borrower.objects.get()
    assert (response.status_code, response.json()) == (201, {"id": borrower.pk} | new)
    assert {field: getattr(borrower, field) for field in PERSON} == PERSON


def test_only_the_card_number_is_required():
    response = api(make_librarian()).post(BORROWERS, {"card_number": "P1"}, format="json")
    assert response.status_code == 201
    assert response.json()["name"] == ""


def test_filter_by_card_number():
    borrower = make_borrower(card_number="P1")
    make_borrower(card_number="P2")
    response = api(make_librarian()).get(f"{BORROWERS}?card_number=P1")
    assert [row["id"] for row in response.json()["results"]] == [borrower.pk]


@pytest.mark.parametrize(
    "query", ["Anna chen", "ANNA@example.org", "0301234", "030+1234", "p1", "%20anna%20030%201234"]
)
def test_search_by_whole_words(query):
    make_borrower(**PERSON)
    make_borrower(card_number="P2", name="Anna Bo")
    response = api(make_librarian()).get(f"{BORROWERS}?search={query}")
    assert [row["card_number"] for row in response.json()["results"]] == ["P1"]


def test_empty_search_finds_all_and_part_of_a_word_none():
    make_borrower(**PERSON)
    client = api(make_librarian())
    assert [client.get(f"{BORROWERS}?search={query}").json()["count"] for query in ("", "Ann")] == [1, 0]


def test_search_finds_a_change_at_once():
    borrower = make_borrower(**PERSON)
    response = api(make_librarian()).patch(f"{BORROWERS}{borrower.pk}/", {"name": "Bo Chen"}, format="json")
    assert (response.status_code, response.json()["phone"]) == (200, "030 1234")
    assert [search_borrowers(query=query).count() for query in ("bo", "anna", "0301234")] == [1, 0, 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "anna"),
        ("name", "a" * 201),
        ("phone", "1" * 51),
        ("address", "a" * 1001),
        ("retention", "x"),
    ],
)
def test_invalid_value_is_400(field, value):
    response = api(make_librarian()).post(BORROWERS, PERSON | {field: value}, format="json")
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, [f"/{field}"])
    assert not Borrower.objects.exists()


def test_list_is_not_ordered_by_encrypted_fields():
    make_borrower(card_number="P2", name="Anna")
    make_borrower(card_number="P1", name="Bo")
    client = api(make_librarian())
    for ordering, cards in [("name", ["P1", "P2"]), ("-card_number", ["P2", "P1"])]:
        response = client.get(f"{BORROWERS}?ordering={ordering}")
        assert [row["card_number"] for row in response.json()["results"]] == cards


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
def test_user_without_permission_is_403(method):
    make_borrower()
    assert getattr(api(make_user_without_permissions()), method)(BORROWERS).status_code == 403
