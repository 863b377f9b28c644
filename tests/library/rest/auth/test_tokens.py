"""API tokens: issue, scopes, expiry and revocation."""

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
from library.rest.scopes import Scope, required_scope
from tests.databases import both_databases
from tests.library.admin_site.url_samples import walk
from tests.library.people.test_fields import everything_in_the_database
from tests.logins import desk, make_user
from tests.problems import problem_of

TOKEN, TOKENS, BOOKS = "/api/v1/token/", "/api/v1/tokens/", "/api/v1/books/"
ALL = tuple(Scope.values)


def issue(user, *scopes, days=90, now=None):
    return issue_token(user=user, name="t", scopes=scopes or ALL, days=days, now=now or timezone.now())


def bearer(token, scheme="Bearer"):
    return Client(headers={"authorization": f"{scheme} {token}"}, raise_request_exception=False)


@pytest.mark.django_db
def test_token_is_shown_once_with_its_scopes_and_expiry(client):
    User.objects.create_user("someone", password="right")
    form = {"username": "someone", "password": "right", "name": "pages", "days": 7}
    response = client.post(
        TOKEN, form | {"scopes": ["stats", "catalogue:read"]}, content_type="application/json"
    )
    issued = response.json()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert (issued["name"], issued["scopes"]) == ("pages", ["catalogue:read", "stats"])
    row = ApiToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(days=7)
    (listed,) = bearer(issued["token"]).get(TOKENS).json()["results"]
    assert issued["token"].startswith(listed["prefix"])
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
def test_invalid_token_request_is_400(client, wrong, pointer):
    User.objects.create_user("someone", password="right")
    form = {"username": "someone", "password": "right"} | wrong
    document = problem_of(client.post(TOKEN, form, content_type="application/json"), 400)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert not ApiToken.objects.exists()


@both_databases
def test_database_holds_only_the_prefix_of_a_token(database):
    row, token = issue(User.objects.create_user("someone"))
    assert token.removeprefix(row.prefix).encode() not in everything_in_the_database()


@pytest.mark.django_db
@pytest.mark.parametrize(("scheme", "status"), [("Bearer", 200), ("bearer", 200), ("Token", 401)])
def test_scheme_is_bearer_in_any_case(scheme, status):
    _row, token = issue(make_user(CLIENTS))
    assert bearer(token, scheme).get(BOOKS).status_code == status


@pytest.mark.django_db
def test_expired_inactive_or_revoked_token_is_401():
    user = make_user(CLIENTS)
    row, token = issue(user, days=1, now=timezone.now() - timedelta(days=1))
    assert problem_of(bearer(token).get(BOOKS), 401)["code"] == "token_expired"
    row, token = issue(user)
    other = bearer(issue(user)[1])
    User.objects.update(is_active=False)
    assert problem_of(bearer(token).get(BOOKS), 401)["code"] == "authentication_failed"
    User.objects.update(is_active=True)
    assert other.delete(f"{TOKENS}{row.pk}/").status_code == 204
    response = bearer(token).get(BOOKS)
    assert problem_of(response, 401)["code"] == "authentication_failed"
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_tokens_of_other_users_are_404():
    row, _token = issue(make_user(LIBRARIANS))
    client = bearer(issue(make_user(ADMINISTRATORS))[1])
    assert [token["id"] for token in client.get(TOKENS).json()["results"]] != [row.pk]
    problem_of(client.delete(f"{TOKENS}{row.pk}/"), 404)
    assert ApiToken.objects.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_request_needs_scope_and_permission():
    librarian, client_user = make_user(LIBRARIANS), make_user(CLIENTS)
    record = {"title": "Optics", "control_number": "1"}

    def responses(user, *scopes):
        client = bearer(issue(user, *scopes)[1])
        writing = client.post(BOOKS, record, content_type="application/json")
        return client.get(BOOKS), writing, client.get("/api/v1/loans/")

    reading, writing, loans = responses(librarian, "catalogue:read")
    assert reading.status_code == 200
    document = problem_of(writing, 403)
    assert (document["code"], document["extra"]) == ("insufficient_scope", {"scope": "catalogue:write"})
    assert document["detail"] == "The token does not have the scope catalogue:write."
    assert writing["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="catalogue:write"'
    assert problem_of(loans, 403)["extra"] == {"scope": "circulation"}
    reading, writing, loans = responses(client_user, *ALL)
    assert reading.status_code == 200
    assert [problem_of(response, 403)["code"] for response in (writing, loans)] == ["permission_denied"] * 2
    reading, writing, loans = responses(librarian, "catalogue:write", "circulation")
    assert problem_of(reading, 403)["extra"] == {"scope": "catalogue:read"}
    assert (writing.status_code, loans.status_code) == (201, 200)


@pytest.mark.django_db
def test_any_token_reads_schema_status_and_own_tokens():
    client = bearer(issue(make_user(CLIENTS), "stats")[1])
    for address in ("/api/schema/", "/api/v1/status/", TOKENS):
        assert client.get(address).status_code == 200


def test_every_endpoint_has_a_scope():
    addresses = {"/" + route for _name, route in walk(get_resolver()) if route.startswith("api/v1/")}
    assert len(addresses) > 60
    assert [address for address in addresses if required_scope(path=address, method="GET") is None] == []
    scopes = {
        required_scope(path=address, method=method) for address in addresses for method in ("GET", "POST")
    }
    assert scopes - {""} <= set(ALL)


@pytest.mark.django_db
def test_last_use_is_recorded_at_intervals(django_assert_num_queries):
    row, token = issue(make_user(CLIENTS))
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
def test_hostile_token_is_401(sent):
    response = Client(raise_request_exception=False).get(BOOKS, HTTP_AUTHORIZATION=f"Bearer {sent}")
    problem_of(response, 401)


@pytest.mark.parametrize("scopes", [(), ("all",), ("catalogue:read", "")])
def test_unknown_or_missing_scope_is_refused(scopes):
    with pytest.raises(ScopesError, match="catalogue:read"):
        issue_token(user=User(), name="", scopes=scopes, days=1, now=timezone.now())


@pytest.mark.django_db
def test_administrator_issues_and_revokes_a_token():
    user, client = make_user(CLIENTS), desk(make_user(ADMINISTRATORS))
    form = {"user": user.pk, "name": "pages", "scopes": ["catalogue:read"], "days": 30}
    response = client.post("/admin/rest/apitoken/add/", form)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    row = ApiToken.objects.get(user=user)
    token = response.content.decode().partition('<code id="token">')[2].partition("<")[0]
    assert bearer(token).get(BOOKS).status_code == 200
    assert token not in str(response.cookies)
    for page in ("/admin/rest/apitoken/", f"/admin/rest/apitoken/{row.pk}/change/", "/admin/"):
        assert token not in client.get(page).content.decode()
    assert token not in str(list(LogEntry.objects.values()))
    assert client.post("/admin/rest/apitoken/add/", form | {"scopes": []}).status_code == 200
    assert ApiToken.objects.count() == 1
    assert client.post(f"/admin/rest/apitoken/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    problem_of(bearer(token).get(BOOKS), 401)
