"""Every address with every role: who is let in is what the matrix says, and nobody else sees a borrower."""

import pytest
from django.test import Client

from library.admin_site.roles import ANALYSTS, CLIENTS, ROLES
from tests.library.admin_site.addresses import (
    ARGUMENTS,
    NO_ROLE,
    PUBLIC,
    STAFF,
    STRANGER,
    expectations,
    filled,
    is_allowed,
    make_samples,
    walk,
)
from tests.logins import desk, make_reader, make_user

pytestmark = pytest.mark.django_db

EVERYONE = (STRANGER, NO_ROLE, *ROLES)


def test_somebody_has_thought_of_every_address_and_of_none_that_is_not_there():
    assert {name for name, _ in walk()} == expectations().keys()


def status_of_a_refusal(who, *, in_admin):
    """The admin asks whoever is no staff to sign in; the API says 401 to strangers."""
    if in_admin:
        return 403 if is_allowed(who, STAFF) else 302
    return 401 if who == STRANGER else 403


@pytest.fixture
def site(data_folder):
    for file in ("covers/a.jpg", "audio/a.wav"):
        (data_folder / "media" / file).parent.mkdir(parents=True)
        (data_folder / "media" / file).write_bytes(b"x")
    ARGUMENTS["admin:view_on_site"] = {"content_type_id": 1, "object_id": 1}
    samples = make_samples()
    expected = expectations()
    return [
        (name, filled(name, route, samples), method, *expected[name][method])
        for name, route in walk()
        for method in expected[name]
    ]


def browser(who):
    if who == STRANGER:
        return Client()
    return desk(make_reader() if who == NO_ROLE else make_user(who))


@pytest.mark.parametrize("who", EVERYONE)
def test_an_address_is_open_to_those_that_the_matrix_names_and_to_nobody_else(who, site):
    client = browser(who)
    wrong = []
    for name, address, method, needed, status in site:
        in_admin = address.startswith("/admin/")
        allowed = is_allowed(who, needed) and (not in_admin or needed == PUBLIC or is_allowed(who, STAFF))
        wanted = status if allowed else status_of_a_refusal(who, in_admin=in_admin)
        is_api = address.startswith("/api/v1/") and method != "get"
        answer = getattr(client, method)(address, **({"content_type": "application/json"} if is_api else {}))
        answer.close()
        to_login = answer.get("Location", "").startswith("/admin/login/")
        if answer.status_code != wanted or (to_login and allowed):
            wrong.append((method, address, f"{answer.status_code}, not {wanted}", name))
    assert wrong == []


@pytest.mark.parametrize("who", [STRANGER, NO_ROLE, ANALYSTS, CLIENTS])
def test_who_need_not_know_borrowers_meets_none_on_any_page(who, site):
    client = browser(who)
    met = []
    for _, address, method, _, _ in site:
        if method == "get":
            answer = client.get(address, follow=True)
            body = b"".join(answer) if answer.streaming else answer.content
            answer.close()
            met += [address for secret in (b"Zyxwvut", b"CARD-OF-ZYX") if secret in body]
    assert met == []


def test_the_desk_does_meet_the_borrower(site):
    page = browser("circulation desk").get("/admin/people/borrower/").content.decode()
    assert "CARD-OF-ZYX" in page
    assert "Zyxwvut Reader" in page
