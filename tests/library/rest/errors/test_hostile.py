"""Requests that nobody in good faith sends: each is refused with a problem document, and changes nothing."""

import json
import re

import pytest
from django.db import OperationalError
from django.test import Client

from library.admin_site.roles import ADMINISTRATORS
from library.catalogue.models import Book, Category
from library.rest.errors.problems import MEDIA_TYPE
from tests.databases import on_postgresql
from tests.factories import make_book
from tests.logins import api, desk, make_librarian, make_user
from tests.problems import problem_of
from tests.schemas import operations

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"
SQL = "1' OR 1=1; DROP TABLE catalogue_book; --"


@pytest.fixture
def client():
    """As a browser, so that all that stands before the endpoints is passed."""
    client = desk(make_librarian(), raise_request_exception=False)
    client.post_body = lambda body, kind="application/json": client.post(BOOKS, body, content_type=kind)
    return client


def deep(levels):
    return '{"title": ' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ("", 400, "invalid", "Some values"),
        ("{", 400, "parse_error", "JSON"),
        ('{"title": NaN}', 400, "parse_error", "JSON"),
        (b'{"title": "\xff"}', 400, "parse_error", "utf-8"),
        ('{"title": "a\\u0000b"}', 400, "parse_error", "U+0000"),
        ('{"extra": {"a": ["\\u0000"]}}', 400, "parse_error", "U+0000"),
        ('{"a\\u0000": 1}', 400, "parse_error", "U+0000"),
        ('{"title": "\\ud800"}', 400, "parse_error", "surrogate"),
        (deep(33), 400, "parse_error", "32 levels"),
        (deep(200_000), 400, "parse_error", "32 levels"),
        ('{"year": ' + "9" * 5000 + "}", 400, "parse_error", "JSON"),
        ('{"title": "' + "x" * 5_000_001 + '"}', 413, "too_large", "5000000 are the most"),
        ("[]", 400, "invalid", "Some values"),
        ("null", 400, "invalid", "Some values"),
        ('"title"', 400, "invalid", "Some values"),
        ('{"title": {"a": 1}, "control_number": []}', 400, "invalid", "Some values"),
        (
            '{"title": "x", "control_number": "1", "category": ' + "9" * 40 + "}",
            400,
            "invalid",
            "Some values",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_body_that_cannot_be_is_refused(client, body, status, code, said):
    document = problem_of(client.post_body(body), status)
    assert document["code"] == code
    assert said in document["detail"]
    assert not Book.objects.exists()


def test_a_deep_body_within_the_limit_is_read(client):
    assert problem_of(client.post_body(deep(30)), 400)["code"] == "invalid"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"]
)
def test_a_body_of_another_kind_is_refused(client, kind):
    assert problem_of(client.post_body("{}", kind), 415)["code"] == "unsupported_media_type"


def test_a_body_in_a_charset_that_is_none_is_read_as_utf_8(client):
    answer = client.generic("POST", BOOKS, "{", content_type="application/json; charset=nonsense")
    assert problem_of(answer, 400)["code"] == "parse_error"


@pytest.mark.parametrize("length", ["x", "-1e9", "1.5"])
def test_a_length_that_is_no_number_is_refused(client, length):
    answer = client.generic("POST", BOOKS, "{}", content_type="application/json", CONTENT_LENGTH=length)
    problem_of(answer, 400)


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("get", "/api/v1/nothing/", 404),
        ("get", "/api/v2/books/", 404),
        ("get", "/api/", 404),
        ("post", "/api/v1/nothing/", 404),
        ("get", f"{BOOKS}0/", 404),
        ("get", f"{BOOKS}{'9' * 40}/", 404),
        ("get", f"{BOOKS}%00/", 404),
        ("get", f"{BOOKS}x/", 404),
        ("get", f"{BOOKS}..%2f..%2fsecret/", 404),
        ("get", f"{BOOKS}?page=0", 404),
        ("get", f"{BOOKS}?page={'9' * 40}", 404),
        ("get", f"{BOOKS}?page=x%00", 404),
        ("put", f"{BOOKS}1/", 405),
        ("delete", BOOKS, 405),
        ("post", "/api/v1/books", 404),
    ],
)
def test_an_address_that_is_none_and_a_method_it_lacks_are_problems(client, method, address, status):
    document = problem_of(getattr(client, method)(address), status)
    assert document["instance"].startswith("/api/")


def test_a_method_that_an_address_lacks_is_told_which_it_has(client):
    assert client.put(f"{BOOKS}1/")["Allow"] == "GET, PATCH, HEAD, OPTIONS"


def test_an_answer_in_another_form_is_refused(client):
    assert problem_of(client.get(BOOKS, headers={"accept": "image/png"}), 406)["code"] == "not_acceptable"


def test_a_host_that_is_not_served_is_a_problem(client):
    problem_of(client.get(BOOKS, headers={"host": "evil.example"}), 400)


def test_a_problem_is_told_in_the_language_asked_for(client):
    answer = client.get("/api/v1/nothing/", headers={"accept-language": "zh-hans"})
    assert problem_of(answer, 404)["title"] == "此处没有内容"


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_shows_no_traceback(client, settings, debug, monkeypatch):
    settings.DEBUG = debug
    monkeypatch.setattr("library.catalogue.api.BookViewSet.get_queryset", lambda view: 1 / 0)
    document = problem_of(client.get(BOOKS), 500)
    assert "division" not in str(document)


def test_a_database_that_is_away_is_said(client, monkeypatch):
    def gone(view):
        raise OperationalError("could not connect to server at 10.0.0.3 as library")

    monkeypatch.setattr("library.catalogue.api.BookViewSet.get_queryset", gone)
    answer = client.get(BOOKS)
    assert "10.0.0.3" not in str(problem_of(answer, 503))
    assert answer["Retry-After"] == "5"


def filters_of_every_list():
    """Every parameter of every list, by its address, as the schema names them."""
    return {
        path: [row["name"] for row in operation.get("parameters", []) if row["in"] == "query"]
        for path, method, operation in operations()
        if method == "get" and "{" not in path
    }


@pytest.mark.parametrize(
    ("body", "kind", "allowed"),
    [
        ("{", "application/json", {400}),
        (deep(33), "application/json", {400}),
        (deep(200_000), "application/json", {400}),
        ('{"a": "\\u0000"}', "application/json", {400}),
        ("[]", "application/json", {400}),
        ('"text"', "application/json", {400}),
        ("7", "application/json", {400}),
        ("{}", "text/plain", {415}),
        ("<a/>", "application/xml", {415}),
        ('"' + "x" * 5_000_001 + '"', "application/json", {413}),
    ],
    ids=["broken", "deep", "very deep", "NUL", "list", "text", "number", "plain", "xml", "large"],
)
def test_no_write_takes_a_body_that_cannot_be(body, kind, allowed):
    client = api(make_user(ADMINISTRATORS))
    wrong, asked = [], 0
    for path, method, operation in operations():
        if "requestBody" not in operation:
            continue
        address = re.sub(r"{\w+}", "1", path)
        asked += 1
        answer = client.generic(method.upper(), address, body, content_type=kind)
        # Which record is meant may be looked up first.
        also = {404} if "{" in path else set()
        if answer.status_code not in allowed | also or answer["Content-Type"] != MEDIA_TYPE:
            wrong.append((method, path, answer.status_code))
    assert wrong == []
    assert asked > 30


@on_postgresql
@pytest.mark.parametrize(
    "value",
    [
        SQL,
        "a\0b",
        "9" * 400,
        *(
            pytest.param(value, marks=pytest.mark.thorough)
            for value in (
                "2024-01-01T00:00:00+17:00",
                "0001-01-01T00:00:00+14:00",
                "\0",
                "../../etc/passwd",
                "x" * 4000,
                "\ud7ff\U0010ffff",
                "[]",
                "-1",
                "",
            )
        ),
    ],
)
def test_no_filter_lets_a_hostile_value_through(database, value):
    make_book(category=Category.objects.create(notation="004"))
    client = api(make_user(ADMINISTRATORS))
    wrong = []
    for address, names in filters_of_every_list().items():
        for name in names:
            answer = client.get(address, {name: value})
            if answer.status_code not in (200, 400, 404) or (
                answer.status_code != 200 and "code" not in answer.json()
            ):
                wrong.append((address, name, answer.status_code))
    assert wrong == []
    assert Book.objects.count() == 1


@pytest.mark.parametrize(
    "name", ["../../secret", "..%2f..%2fsecret", "%2e%2e/secret", "a%00b", "/etc/passwd"]
)
def test_no_path_leads_out_of_the_covers(data_folder, name):
    (data_folder / "media" / "covers").mkdir(parents=True)
    (data_folder / "secret").write_text("key")
    answer = Client(raise_request_exception=False).get(f"/media/covers/{name}")
    assert answer.status_code in (400, 404)
    assert b"key" not in answer.content


def test_a_title_that_reads_as_a_path_or_as_sql_stays_text(client):
    for number, title in enumerate([SQL, "../../etc/passwd", "<script>alert(1)</script>", "=1+1"]):
        answer = client.post_body(json.dumps({"title": title, "control_number": str(number)}))
        assert (answer.status_code, answer.json()["title"]) == (201, title)
