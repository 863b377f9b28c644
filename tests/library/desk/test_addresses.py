"""Every address with every role: who is let in is what the matrix says, and nobody else sees a borrower."""

import re

import pytest
from django.test import Client

from library.desk.roles import ANALYSTS, CLIENTS, ROLES, permissions_of
from tests.library.desk.addresses import (
    ARGUMENTS,
    PUBLIC,
    QUERIES,
    SIGNED_IN,
    STAFF,
    expectations,
    make_samples,
    walk,
)
from tests.logins import desk, make_reader, make_user

pytestmark = pytest.mark.django_db

STRANGER, NO_ROLE = "stranger", "no role"
EVERYONE = (STRANGER, NO_ROLE, *ROLES)


def test_somebody_has_thought_of_every_address_and_of_none_that_is_not_there():
    assert {name for name, _ in walk()} == expectations().keys()


def is_allowed(who, needed):
    if needed in (PUBLIC, SIGNED_IN, STAFF):
        return {PUBLIC: True, SIGNED_IN: who != STRANGER, STAFF: who in ROLES and who != CLIENTS}[needed]
    if who not in ROLES:
        return False
    held = {
        f"{label.partition('.')[0]}.{code}"
        for label, codes in permissions_of(role=who).items()
        for code in codes
    }
    return all(held & set(either.split("|")) for either in needed)


def status_of_a_refusal(who, *, in_admin):
    """The admin asks whoever is no staff to sign in; the API says 401 to strangers."""
    if in_admin:
        return 403 if is_allowed(who, STAFF) else 302
    return 401 if who == STRANGER else 403


def filled(name, route, samples):
    """An address as a browser asks for it."""
    values = ARGUMENTS.get(name, {})
    label = None
    if found := re.match(r"admin/(\w+)/(\w+)/", route):
        label = ".".join(found.groups())
    elif found := re.match(r"api/v1/(\w+)/", route):
        plural = {"categories": "catalogue.category", "copies": "catalogue.copy"}
        label = plural.get(found[1]) or next(
            (x for x in samples if x.endswith("." + found[1].rstrip("s"))), None
        )

    def value(match):
        kind = match[1] or match[2]
        return str(values[kind] if kind in values else samples[label])

    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>", value, route)
    return "/" + path.removesuffix("\\Z").removesuffix("$").replace("\\", "") + QUERIES.get(name, "")


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
