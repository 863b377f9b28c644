"""Tokens: made once, seen once, good for their scopes and their time alone."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.admin_site.roles import ADMINISTRATORS, CLIENTS, LIBRARIANS
from library.rest.auth.tokens import ScopesError, issue_token
from library.rest.models import ApiToken
from library.rest.scopes import Scope, scope_of
from tests.databases import both_databases
from tests.library.admin_site.addresses import walk
from tests.library.people.test_fields import everything_in_the_database
from tests.logins import desk, make_user
from tests.problems import problem_of

TOKEN, TOKENS, BOOKS = "/api/v1/token/", "/api/v1/tokens/", "/api/v1/books/"
ALL = tuple(Scope.values)


def made(user, *scopes, days=90, now=None):
    return issue_token(user=user, name="t", scopes=scopes or ALL, days=days, now=now or timezone.now())


def bearer(token, word="Bearer"):
    return Client(headers={"authorization": f"{word} {token}"}, raise_request_exception=False)


@pytest.mark.django_db
def test_a_token_says_its_scopes_and_its_time_and_is_shown_once(client):
    User.objects.create_user("reader", password="right")
    wanted = {"username": "reader", "password": "right", "name": "pages", "days": 7}
    answer = client.post(
        TOKEN, wanted | {"scopes": ["stats", "catalogue:read"]}, content_type="application/json"
    )
    told = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert (told["name"], told["scopes"]) == ("pages", ["catalogue:read", "stats"])
    row = ApiToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(days=7)
    (listed,) = bearer(told["token"]).get(TOKENS).json()["results"]
    assert told["token"].startswith(listed["prefix"])
    assert "token" not in listed


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["all"]}, "/scopes/0"),
        ({"days": 0}, "/days"),
        ({"days": 367}, "/days"),
        ({"password": "wrong"}, ""),
    ],
)
def test_a_token_that_cannot_be_is_refused(client, wrong, pointer):
    User.objects.create_user("reader", password="right")
    wanted = {"username": "reader", "password": "right"} | wrong
    document = problem_of(client.post(TOKEN, wanted, content_type="application/json"), 400)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert not ApiToken.objects.exists()


@both_databases
def test_the_database_holds_nothing_of_a_token_but_how_it_starts(database):
    row, token = made(User.objects.create_user("reader"))
    assert token.removeprefix(row.prefix).encode() not in everything_in_the_database()


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["Bearer", "bearer", "Token"])
def test_either_word_before_a_token_will_do(word):
    _row, token = made(make_user(CLIENTS))
    assert bearer(token, word).get(BOOKS).status_code == 200


@pytest.mark.django_db
def test_a_token_ends_with_its_time_its_user_and_its_revocation():
    user = make_user(CLIENTS)
    row, token = made(user, days=1, now=timezone.now() - timedelta(days=1))
    assert problem_of(bearer(token).get(BOOKS), 401)["code"] == "token_expired"
    row, token = made(user)
    other = bearer(made(user)[1])
    User.objects.update(is_active=False)
    assert problem_of(bearer(token).get(BOOKS), 401)["code"] == "authentication_failed"
    User.objects.update(is_active=True)
    assert other.delete(f"{TOKENS}{row.pk}/").status_code == 204
    answer = bearer(token).get(BOOKS)
    assert problem_of(answer, 401)["code"] == "authentication_failed"
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_nobody_sees_or_revokes_the_token_of_another():
    row, _token = made(make_user(LIBRARIANS))
    client = bearer(made(make_user(ADMINISTRATORS))[1])
    assert [token["id"] for token in client.get(TOKENS).json()["results"]] != [row.pk]
    problem_of(client.delete(f"{TOKENS}{row.pk}/"), 404)
    assert ApiToken.objects.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_a_request_takes_the_scope_and_the_permission():
    librarian, reader = make_user(LIBRARIANS), make_user(CLIENTS)
    record = {"title": "Optics", "control_number": "1"}

    def answers(user, *scopes):
        client = bearer(made(user, *scopes)[1])
        writing = client.post(BOOKS, record, content_type="application/json")
        return client.get(BOOKS), writing, client.get("/api/v1/loans/")

    reading, writing, loans = answers(librarian, "catalogue:read")
    assert reading.status_code == 200
    document = problem_of(writing, 403)
    assert (document["code"], document["extra"]) == ("missing_scope", {"scope": "catalogue:write"})
    assert document["detail"] == "The token lacks the scope catalogue:write."
    assert writing["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="catalogue:write"'
    assert problem_of(loans, 403)["extra"] == {"scope": "circulation"}
    reading, writing, loans = answers(reader, *ALL)
    assert reading.status_code == 200
    assert [problem_of(answer, 403)["code"] for answer in (writing, loans)] == ["permission_denied"] * 2
    reading, writing, loans = answers(librarian, "catalogue:write", "circulation")
    assert problem_of(reading, 403)["extra"] == {"scope": "catalogue:read"}
    assert (writing.status_code, loans.status_code) == (201, 200)


@pytest.mark.django_db
def test_any_token_opens_the_schema_the_state_and_the_users_own_tokens():
    client = bearer(made(make_user(CLIENTS), "stats")[1])
    for address in ("/api/schema/", "/api/v1/status/", TOKENS):
        assert client.get(address).status_code == 200


def test_every_endpoint_names_its_scope():
    addresses = {"/" + route for _name, route in walk(get_resolver()) if route.startswith("api/v1/")}
    assert len(addresses) > 60
    assert [address for address in addresses if scope_of(path=address, method="GET") is None] == []
    scopes = {scope_of(path=address, method=method) for address in addresses for method in ("GET", "POST")}
    assert scopes - {""} <= set(ALL)


@pytest.mark.django_db
def test_the_last_use_is_written_down_now_and_then(django_assert_num_queries):
    row, token = made(make_user(CLIENTS))
    assert bearer(token).get(BOOKS).status_code == 200
    row.refresh_from_db()
    assert timezone.now() - row.last_used_at < timedelta(minutes=1)
    with django_assert_num_queries(2):
        bearer(token).get(BOOKS)


@pytest.mark.django_db
@given(
    sent=st.one_of(
        st.text(st.characters(max_codepoint=255)), st.sampled_from(["", " ", "a b", "lib_", "lib_ü"])
    )
)
def test_whatever_is_sent_as_a_token_is_no_more_than_refused(sent):
    answer = Client(raise_request_exception=False).get(BOOKS, HTTP_AUTHORIZATION=f"Bearer {sent}")
    problem_of(answer, 401)


@pytest.mark.parametrize("scopes", [(), ("all",), ("catalogue:read", "")])
def test_a_service_makes_no_token_without_scopes_that_there_are(scopes):
    with pytest.raises(ScopesError, match="catalogue:read"):
        issue_token(user=User(), name="", scopes=scopes, days=1, now=timezone.now())


@pytest.mark.django_db
def test_an_administrator_makes_a_token_sees_it_once_and_revokes_it():
    user, client = make_user(CLIENTS), desk(make_user(ADMINISTRATORS))
    form = {"user": user.pk, "name": "pages", "scopes": ["catalogue:read"], "days": 30}
    answer = client.post("/admin/rest/apitoken/add/", form)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    row = ApiToken.objects.get(user=user)
    token = answer.content.decode().partition('<code id="token">')[2].partition("<")[0]
    assert bearer(token).get(BOOKS).status_code == 200
    assert token not in str(answer.cookies)
    for page in ("/admin/rest/apitoken/", f"/admin/rest/apitoken/{row.pk}/change/", "/admin/"):
        assert token not in client.get(page).content.decode()
    assert token not in str(list(LogEntry.objects.values()))
    assert client.post("/admin/rest/apitoken/add/", form | {"scopes": []}).status_code == 200
    assert ApiToken.objects.count() == 1
    assert client.post(f"/admin/rest/apitoken/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    problem_of(bearer(token).get(BOOKS), 401)
