"""Every list as CSV, with the same rows as the pages."""

import csv
import io
import json

import pytest
from rest_framework.test import APIClient

from library.admin_site.roles import ADMINISTRATORS
from library.catalogue.models import Book
from library.people.models import AuditEntry, Borrower
from library.rest.lists import csv_renderer
from tests.factories import make_book, make_borrower, make_category
from tests.logins import api, make_user
from tests.schemas import api_schema
from tests.test_query_counts import add_rows

pytestmark = pytest.mark.django_db

#: Assigns books to the reviewer rather than listing them.
NOT_LISTS = {"/api/v1/reviews/next/"}
#: Nested records, which CSV cannot represent.
NESTED = {"/api/v1/categories/tree/"}


def rows_of(response):
    assert response.status_code == 200, response
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    heading, *rows = csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig")))
    assert {len(row) for row in rows} <= {len(heading)}
    return [dict(zip(heading, row, strict=True)) for row in rows]


def lists():
    """Yield the path of each list of the API, and whether it is available as CSV."""
    schema = api_schema()
    for path, operations in schema["paths"].items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        response = content.get("application/json", {}).get("schema", {})
        if "$ref" in response:
            response = schema["components"]["schemas"][response["$ref"].rpartition("/")[2]]
        is_list = response.get("type") == "array" or "results" in response.get("properties", {})
        if (is_list and path not in NOT_LISTS | NESTED) or "text/csv" in content:
            yield path, "text/csv" in content


def test_csv_has_as_many_rows_as_the_pages():
    add_rows(make_book(category=make_category(parent=make_category())), 1, 4)
    client = api(make_user(ADMINISTRATORS))
    book = Book.objects.filter(suggestions__isnull=False).first()
    keys = {"book_id": book.pk, "id": book.category_id}
    seen = 0
    for path, has_csv in lists():
        assert has_csv, path
        ids = keys | {"id": Borrower.objects.latest("pk").pk} if "borrowers" in path else keys
        address = path.format(**ids)
        body = client.get(address).json()
        pages = body if isinstance(body, list) else body["results"]
        table = rows_of(client.get(address, {"format": "csv"}))
        assert len(table) == len(pages), path
        for row, record in zip(table, pages, strict=True):
            assert {name for name, value in record.items() if not isinstance(value, dict)} <= row.keys()
            if "id" in record:
                assert row["id"] == str(record["id"]), path
        seen += bool(table)
    assert seen > 25


def test_csv_is_read_in_chunks_in_the_requested_order(monkeypatch):
    monkeypatch.setattr(csv_renderer, "CHUNK_SIZE", 3)
    for number in range(8):
        make_book(title=f"Light {number}", control_number=f"N{9 - number}")
    client = api(make_user(ADMINISTRATORS))
    ordered = rows_of(client.get("/api/v1/books/?format=csv&ordering=-title&page_size=2&page=2&fields=title"))
    assert ordered == [{"title": f"Light {number}"} for number in reversed(range(8))]
    found = rows_of(client.get("/api/v1/books/?format=csv&search=light+3&fields=control_number"))
    assert found == [{"control_number": "N6"}]


def test_cells_match_json_and_hold_no_formula():
    book = make_book(title="=1+1", year=None)
    (row,) = rows_of(api(make_user(ADMINISTRATORS)).get("/api/v1/books/", HTTP_ACCEPT="text/csv"))
    assert (row["title"], row["year"], row["id"]) == ("'=1+1", "", str(book.pk))
    assert json.loads(row["availability"]) == {"copies": 0, "available": 0, "branches": []}


def test_empty_list_has_a_header_row():
    response = api(make_user(ADMINISTRATORS)).get("/api/v1/loans/?format=csv")
    assert response["Content-Disposition"] == 'attachment; filename="loans.csv"'
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert text.startswith("id,copy,barcode,book,title,borrower,card_number,")
    assert text.count("\n") == 1


def test_csv_of_personal_data_is_audited_row_by_row(monkeypatch):
    monkeypatch.setattr(csv_renderer, "CHUNK_SIZE", 2)
    borrowers = {make_borrower().pk for _ in range(5)}
    rows_of(api(make_user(ADMINISTRATORS)).get("/api/v1/borrowers/?format=csv"))
    entries = AuditEntry.objects.filter(action=AuditEntry.Action.SEARCHED).order_by("pk")
    parts = [entry.record_keys for entry in entries]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {int(key) for part in parts for key in part} == borrowers


def test_records_and_errors_are_not_csv():
    book = make_book()
    client = api(make_user(ADMINISTRATORS))
    assert client.get(f"/api/v1/books/{book.pk}/", HTTP_ACCEPT="text/csv").status_code == 406
    response = client.get("/api/v1/books/?format=csv&year_min=x")
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert APIClient().get("/api/v1/loans/?format=csv").status_code == 401
