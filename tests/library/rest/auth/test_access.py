import pytest
from django.contrib.auth.models import User
from django.test import Client

from library.rest.models import ApiToken
from tests.factories import make_book
from tests.logins import make_reader

pytestmark = pytest.mark.django_db


def test_a_password_is_exchanged_for_a_token_that_opens_the_catalogue(client):
    User.objects.create_user("reader", password="right")
    answer = client.post("/api/v1/token/", {"username": "reader", "password": "right"})
    token = answer.json()["token"]
    make_book(title="Optics")
    answer = client.get("/api/v1/books/", headers={"authorization": f"Bearer {token}"})
    assert [row["title"] for row in answer.json()["results"]] == ["Optics"]


def test_a_wrong_password_gets_no_token(client):
    User.objects.create_user("reader", password="right")
    answer = client.post("/api/v1/token/", {"username": "reader", "password": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not ApiToken.objects.exists()


def test_a_wrong_token_opens_nothing(client):
    answer = client.get("/api/v1/books/", headers={"authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")


def test_a_session_opens_the_catalogue():
    client = Client()
    client.force_login(make_reader())
    assert client.get("/api/v1/books/").status_code == 200


def test_a_session_writes_only_with_a_csrf_token():
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    answer = client.post(
        "/api/v1/books/", {"control_number": "1", "title": "x"}, content_type="application/json"
    )
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("CSRF Failed")
