import pytest
from django.contrib.auth.models import User
from django.test import Client

from library.rest.models import ApiToken
from tests.factories import make_book
from tests.logins import make_user_without_permissions

pytestmark = pytest.mark.django_db


def test_token_issued_for_a_password_reads_the_catalogue(client):
    User.objects.create_user("someone", password="right")
    response = client.post("/api/v1/token/", {"username": "someone", "password": "right"})
    token = response.json()["token"]
    make_book(title="Optics")
    response = client.get("/api/v1/books/", headers={"authorization": f"Bearer {token}"})
    assert [row["title"] for row in response.json()["results"]] == ["Optics"]


def test_wrong_password_is_400(client):
    User.objects.create_user("someone", password="right")
    response = client.post("/api/v1/token/", {"username": "someone", "password": "wrong"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert not ApiToken.objects.exists()


def test_wrong_token_is_401(client):
    response = client.get("/api/v1/books/", headers={"authorization": "Bearer wrong"})
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")


def test_session_reads_the_catalogue():
    client = Client()
    client.force_login(make_user_without_permissions())
    assert client.get("/api/v1/books/").status_code == 200


def test_session_writes_need_a_csrf_token():
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    response = client.post(
        "/api/v1/books/", {"control_number": "1", "title": "x"}, content_type="application/json"
    )
    assert response.status_code == 403
    assert response.json()["detail"].startswith("CSRF Failed")
