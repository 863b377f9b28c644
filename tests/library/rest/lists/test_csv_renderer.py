"""Every list as CSV: the same rows as page by page, each with its columns."""

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

#: Taken, not listed: who asks for the next books has them for a while.
NOT_LISTS = {"/api/v1/reviews/next/"}
#: Within one another, which no table can show.
NESTED = {"/api/v1/categories/tree/"}


def rows_of(answer):
    assert answer.status_code == 200, answer
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    heading, *rows = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")))
    assert {len(row) for row in rows} <= {len(heading)}
    return [dict(zip(heading, row, strict=True)) for row in rows]


def lists():
    """Yield the address of each list of the API, and whether it may be asked for as CSV."""
    schema = api_schema()
    for path, operations in schema["paths"].items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        answer = content.get("application/json", {}).get("schema", {})
        if "$ref" in answer:
            answer = schema["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
        is_list = answer.get("type") == "array" or "results" in answer.get("properties", {})
        if (is_list and path not in NOT_LISTS | NESTED) or "text/csv" in content:
            yield path, "text/csv" in content


def test_each_list_has_as_many_rows_as_its_pages():
    add_rows(make_book(category=make_category(parent=make_category())), 1, 4)
    client = api(make_user(ADMINISTRATORS))
    book = Book.objects.filter(suggestions__isnull=False).first()
    keys = {"book_id": book.pk, "id": book.category_id}
    seen = 0
    for path, as_table in lists():
        assert as_table, path
        about = keys | {"id": Borrower.objects.latest("pk").pk} if "borrowers" in path else keys
        address = path.format(**about)
        told = client.get(address).json()
        pages = told if isinstance(told, list) else told["results"]
        table = rows_of(client.get(address, {"format": "csv"}))
        assert len(table) == len(pages), path
        for row, record in zip(table, pages, strict=True):
            assert {name for name, value in record.items() if not isinstance(value, dict)} <= row.keys()
            if "id" in record:
                assert row["id"] == str(record["id"]), path
        seen += bool(table)
    assert seen > 25


def test_a_table_is_read_part_by_part_in_the_order_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(csv_renderer, "CHUNK", 3)
    for number in range(8):
        make_book(title=f"Light {number}", control_number=f"N{9 - number}")
    client = api(make_user(ADMINISTRATORS))
    ordered = rows_of(client.get("/api/v1/books/?format=csv&ordering=-title&page_size=2&page=2&fields=title"))
    assert ordered == [{"title": f"Light {number}"} for number in reversed(range(8))]
    found = rows_of(client.get("/api/v1/books/?format=csv&search=light+3&fields=control_number"))
    assert found == [{"control_number": "N6"}]


def test_cells_hold_what_json_holds_and_no_formula():
    book = make_book(title="=1+1", year=None)
    (row,) = rows_of(api(make_user(ADMINISTRATORS)).get("/api/v1/books/", HTTP_ACCEPT="text/csv"))
    assert (row["title"], row["year"], row["id"]) == ("'=1+1", "", str(book.pk))
    assert json.loads(row["availability"]) == {"copies": 0, "available": 0, "branches": []}


def test_a_list_without_rows_has_its_heading():
    answer = api(make_user(ADMINISTRATORS)).get("/api/v1/loans/?format=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="loans.csv"'
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert text.startswith("id,copy,barcode,book,title,borrower,card_number,")
    assert text.count("\n") == 1


def test_who_reads_a_table_of_personal_data_is_written_down_with_each_row(monkeypatch):
    monkeypatch.setattr(csv_renderer, "CHUNK", 2)
    borrowers = {make_borrower().pk for _ in range(5)}
    rows_of(api(make_user(ADMINISTRATORS)).get("/api/v1/borrowers/?format=csv"))
    entries = AuditEntry.objects.filter(action=AuditEntry.Action.SEARCHED).order_by("pk")
    parts = [entry.listed.split() for entry in entries]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {int(key) for part in parts for key in part} == borrowers


def test_a_record_and_a_fault_are_no_table():
    book = make_book()
    client = api(make_user(ADMINISTRATORS))
    assert client.get(f"/api/v1/books/{book.pk}/", HTTP_ACCEPT="text/csv").status_code == 406
    answer = client.get("/api/v1/books/?format=csv&year_min=x")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert APIClient().get("/api/v1/loans/?format=csv").status_code == 401
