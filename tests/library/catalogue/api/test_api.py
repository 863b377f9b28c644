import pytest

from library.catalogue.models import Book, Category, Copy
from tests.factories import make_book, make_category, make_copy
from tests.logins import api, make_librarian, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"


def search(client, query):
    return [row["title"] for row in client.get(f"{BOOKS}?{query}").json()["results"]]


def test_book_has_its_category():
    book = make_book(title="Optics", category=make_category(notation="535"))
    response = api(make_user_without_permissions()).get(f"{BOOKS}{book.pk}/")
    assert response.status_code == 200
    row = response.json()
    assert (row["title"], row["category"], row["category_notation"]) == ("Optics", book.category_id, "535")
    assert row["cover"] is None
    assert row["audio"] is None


def test_files_have_absolute_urls():
    book = make_book(cover="covers/a.png", audio="audio/a.wav")
    row = api(make_user_without_permissions()).get(f"{BOOKS}{book.pk}/").json()
    assert row["cover"] == "http://testserver/media/covers/a.png"
    assert row["audio"] == "http://testserver/media/audio/a.wav"


def test_files_are_read_only():
    book = make_book(cover="covers/a.png", audio="audio/a.wav")
    change = {"cover": "covers/b.png", "audio": "audio/b.wav"}
    response = api(make_librarian()).patch(f"{BOOKS}{book.pk}/", change, format="json")
    book.refresh_from_db()
    assert (response.status_code, book.cover.name, book.audio.name) == (200, "covers/a.png", "audio/a.wav")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Optics", "光学", "Bridges"]),
        ("language=zh", ["光学"]),
        ("year_min=1990", ["光学", "Bridges"]),
        ("year_max=1990", ["Optics"]),
        ("category_source=librarian", ["Optics"]),
        ("uncategorised=true", ["光学", "Bridges"]),
        ("notation=535", ["Optics"]),
        ("search=光", ["光学"]),
        ("search=newton", ["Optics"]),
        ("ordering=-year", ["Bridges", "光学", "Optics"]),
    ],
)
def test_books_are_found(query, titles):
    category = make_category(notation="535")
    make_book(
        control_number="1", title="Optics", authors="Newton", year=1980, language="en", category=category
    )
    make_book(control_number="2", title="光学", year=1991, language="zh")
    make_book(control_number="3", title="Bridges", year=2000, language="en")
    assert search(api(make_user_without_permissions()), query) == titles


def test_page_size_is_fifty_and_at_most_two_hundred():
    Copy.objects.bulk_create(
        Copy(barcode=f"K{n:03}", book=book) for book in [make_book()] for n in range(201)
    )
    client = api(make_user_without_permissions())
    assert len(client.get("/api/v1/copies/").json()["results"]) == 50
    assert len(client.get("/api/v1/copies/?page_size=1000").json()["results"]) == 200


def test_librarian_adds_book_with_source_librarian():
    category = make_category()
    response = api(make_librarian()).post(
        BOOKS, {"control_number": "9", "title": "New", "category": category.pk}, format="json"
    )
    assert (response.status_code, response.json()["category_source"]) == (201, "librarian")
    assert Book.objects.get().category == category


def test_book_without_category_has_no_source():
    response = api(make_librarian()).post(BOOKS, {"control_number": "9", "title": "New"}, format="json")
    assert (response.status_code, response.json()["category_source"]) == (201, "none")


@pytest.mark.parametrize(
    ("change", "source"),
    [
        ({"title": "Corrected"}, "imported"),
        ({"category": "same"}, "imported"),
        ({"category": "other"}, "librarian"),
        ({"category": None}, "none"),
    ],
)
def test_only_a_changed_category_gets_source_librarian(change, source):
    same, other = make_category(), make_category()
    book = make_book(category=same, category_source="imported")
    keys = {"same": same.pk, "other": other.pk}
    change = {name: keys.get(value, value) for name, value in change.items()}
    response = api(make_librarian()).patch(f"{BOOKS}{book.pk}/", change, format="json")
    assert (response.status_code, response.json()["category_source"]) == (200, source)


def test_category_source_is_read_only():
    book = make_book(category=make_category(), category_source="imported")
    api(make_librarian()).patch(f"{BOOKS}{book.pk}/", {"category_source": "model"}, format="json")
    assert Book.objects.get().category_source == "imported"


def test_control_number_is_unique():
    make_book(control_number="9")
    response = api(make_librarian()).post(BOOKS, {"control_number": "9", "title": "Again"}, format="json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert list(errors_by_place(response.json())) == ["/control_number"]


def test_category_cannot_be_its_own_parent():
    category = make_category()
    response = api(make_librarian()).patch(
        f"/api/v1/categories/{category.pk}/", {"parent": category.pk}, format="json"
    )
    assert response.status_code == 400
    assert errors_by_place(response.json()) == {
        "/parent": ["To move a category, apply a category change: POST /api/v1/taxonomy-changes/apply/."]
    }


def test_notation_is_unique_in_its_scheme():
    client = api(make_librarian())
    category = {"scheme": "ddc", "notation": "535"}
    assert client.post("/api/v1/categories/", category, format="json").status_code == 201
    assert client.post("/api/v1/categories/", category, format="json").status_code == 400
    assert Category.objects.count() == 1


def test_copies_are_listed_by_book():
    copy = make_copy()
    make_copy()
    response = api(make_user_without_permissions()).get(f"/api/v1/copies/?book={copy.book_id}")
    assert response.json()["results"] == [
        {
            "id": copy.pk,
            "barcode": copy.barcode,
            "book": copy.book_id,
            "branch": None,
            "item_type": None,
            "shelf_location": "",
            "call_number": "",
            "status": "available",
            "last_seen_at": None,
            "checkouts": 0,
            "renewals": 0,
        }
    ]


def test_circulation_fields_of_a_copy_are_read_only():
    copy = make_copy()
    change = {"status": "withdrawn", "checkouts": 9, "call_number": "QC 355"}
    response = api(make_librarian()).patch(f"/api/v1/copies/{copy.pk}/", change, format="json")
    copy.refresh_from_db()
    assert (response.status_code, copy.status, copy.checkouts, copy.call_number) == (
        200,
        "available",
        0,
        "QC 355",
    )


@pytest.mark.parametrize("name", ["books", "categories", "copies"])
def test_user_without_permission_cannot_write(name):
    response = api(make_user_without_permissions()).post(f"/api/v1/{name}/", {}, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("name", ["books", "categories", "copies"])
def test_anonymous_client_cannot_read(name):
    response = api().get(f"/api/v1/{name}/")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["put", "delete"])
def test_put_and_delete_are_not_allowed(method):
    book = make_book()
    response = getattr(api(make_librarian()), method)(f"{BOOKS}{book.pk}/", {}, format="json")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
