"""Hostile requests: each is refused with a problem document and changes nothing."""

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
    """A browser, so that requests pass all middleware."""
    client = desk(make_librarian(), raise_request_exception=False)
    client.post_body = lambda body, kind="application/json": client.post(BOOKS, body, content_type=kind)
    return client


def deep(levels):
    return '{"title": ' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
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
        ('{"title": "' + "x" * 5_000_001 + '"}', 413, "content_too_large", "the limit is 5000000 bytes"),
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
def test_invalid_body_is_refused(client, body, status, code, message):
    document = problem_of(client.post_body(body), status)
    assert document["code"] == code
    assert message in document["detail"]
    assert not Book.objects.exists()


def test_nesting_within_the_limit_is_parsed(client):
    assert problem_of(client.post_body(deep(30)), 400)["code"] == "invalid"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"]
)
def test_other_media_type_is_415(client, kind):
    assert problem_of(client.post_body("{}", kind), 415)["code"] == "unsupported_media_type"


def test_unknown_charset_is_read_as_utf_8(client):
    response = client.generic("POST", BOOKS, "{", content_type="application/json; charset=nonsense")
    assert problem_of(response, 400)["code"] == "parse_error"


@pytest.mark.parametrize("length", ["x", "-1e9", "1.5"])
def test_invalid_content_length_is_400(client, length):
    response = client.generic("POST", BOOKS, "{}", content_type="application/json", CONTENT_LENGTH=length)
    problem_of(response, 400)


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
def test_unknown_path_and_method_are_problems(client, method, address, status):
    document = problem_of(getattr(client, method)(address), status)
    assert document["instance"].startswith("/api/")


def test_405_has_an_allow_header(client):
    assert client.put(f"{BOOKS}1/")["Allow"] == "GET, PATCH, HEAD, OPTIONS"


def test_unsupported_accept_is_406(client):
    assert problem_of(client.get(BOOKS, headers={"accept": "image/png"}), 406)["code"] == "not_acceptable"


def test_unknown_host_is_400(client):
    problem_of(client.get(BOOKS, headers={"host": "evil.example"}), 400)


def test_problem_is_translated(client):
    response = client.get("/api/v1/nothing/", headers={"accept-language": "zh-hans"})
    assert problem_of(response, 404)["title"] == "未找到"


@pytest.mark.parametrize("debug", [False, True])
def test_500_shows_no_traceback(client, settings, debug, monkeypatch):
    settings.DEBUG = debug
    monkeypatch.setattr("library.catalogue.api.BookViewSet.get_queryset", lambda view: 1 / 0)
    document = problem_of(client.get(BOOKS), 500)
    assert "division" not in str(document)


def test_unavailable_database_is_503(client, monkeypatch):
    def unavailable(view):
        raise OperationalError("could not connect to server at 10.0.0.3 as library")

    monkeypatch.setattr("library.catalogue.api.BookViewSet.get_queryset", unavailable)
    response = client.get(BOOKS)
    assert "10.0.0.3" not in str(problem_of(response, 503))
    assert response["Retry-After"] == "5"


def filters_of_every_list():
    """Return the query parameters of every list by path, from the schema."""
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
def test_every_write_refuses_an_invalid_body(body, kind, allowed):
    client = api(make_user(ADMINISTRATORS))
    wrong, count = [], 0
    for path, method, operation in operations():
        if "requestBody" not in operation:
            continue
        address = re.sub(r"{\w+}", "1", path)
        count += 1
        response = client.generic(method.upper(), address, body, content_type=kind)
        # The record may be looked up first.
        not_found = {404} if "{" in path else set()
        if response.status_code not in allowed | not_found or response["Content-Type"] != MEDIA_TYPE:
            wrong.append((method, path, response.status_code))
    assert wrong == []
    assert count > 30


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
def test_every_filter_survives_hostile_values(database, value):
    make_book(category=Category.objects.create(notation="004"))
    client = api(make_user(ADMINISTRATORS))
    wrong = []
    for address, names in filters_of_every_list().items():
        for name in names:
            response = client.get(address, {name: value})
            if response.status_code not in (200, 400, 404) or (
                response.status_code != 200 and "code" not in response.json()
            ):
                wrong.append((address, name, response.status_code))
    assert wrong == []
    assert Book.objects.count() == 1


@pytest.mark.parametrize(
    "name", ["../../secret", "..%2f..%2fsecret", "%2e%2e/secret", "a%00b", "/etc/passwd"]
)
def test_cover_path_cannot_leave_its_folder(data_folder, name):
    (data_folder / "media" / "covers").mkdir(parents=True)
    (data_folder / "secret").write_text("key")
    response = Client(raise_request_exception=False).get(f"/media/covers/{name}")
    assert response.status_code in (400, 404)
    assert b"key" not in response.content


def test_hostile_title_is_stored_as_text(client):
    for number, title in enumerate([SQL, "../../etc/passwd", "<script>alert(1)</script>", "=1+1"]):
        response = client.post_body(json.dumps({"title": title, "control_number": str(number)}))
        assert (response.status_code, response.json()["title"]) == (201, title)
