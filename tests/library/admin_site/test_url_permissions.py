"""Every URL with every role: access follows the matrix, and only permitted users see borrowers."""

import pytest
from django.test import Client

from library.admin_site.roles import ANALYSTS, CLIENTS, ROLES
from tests.library.admin_site.url_permissions import (
    ANONYMOUS,
    NO_ROLE,
    PUBLIC,
    STAFF,
    expectations,
    is_allowed,
)
from tests.library.admin_site.url_samples import ARGUMENTS, fill_route, make_samples, walk
from tests.logins import desk, make_user, make_user_without_permissions

pytestmark = pytest.mark.django_db

EVERYONE = (ANONYMOUS, NO_ROLE, *ROLES)
WITHOUT_BORROWERS = (ANONYMOUS, NO_ROLE, ANALYSTS, CLIENTS)


def test_expectations_cover_exactly_the_existing_urls():
    assert {name for name, _ in walk()} == expectations().keys()


def refusal_status(user, *, in_admin):
    """Return the status of a refusal: the admin redirects non-staff; the API responds with 401 or 403."""
    if in_admin:
        return 403 if is_allowed(user, STAFF) else 302
    return 401 if user == ANONYMOUS else 403


@pytest.fixture
def site(data_folder):
    for file in ("covers/a.jpg", "audio/a.wav"):
        (data_folder / "media" / file).parent.mkdir(parents=True)
        (data_folder / "media" / file).write_bytes(b"x")
    ARGUMENTS["admin:view_on_site"] = {"content_type_id": 1, "object_id": 1}
    samples = make_samples()
    expected = expectations()
    return [
        (name, fill_route(name, route, samples), method, *expected[name][method])
        for name, route in walk()
        for method in expected[name]
    ]


def browser(user):
    if user == ANONYMOUS:
        return Client()
    return desk(make_user_without_permissions() if user == NO_ROLE else make_user(user))


def shown(client, response):
    """Return what the user sees, after redirects."""
    body = b"".join(response) if response.streaming else response.content
    if 300 <= response.status_code < 400 and response.get("Location"):
        page = client.get(response["Location"], follow=True)
        body += b"".join(page) if page.streaming else page.content
        page.close()
    return body


@pytest.mark.parametrize("user", EVERYONE)
def test_access_and_borrowers_follow_the_matrix(user, site):
    client = browser(user)
    wrong, leaks = [], []
    for name, url, method, access, status in site:
        in_admin = url.startswith("/admin/")
        allowed = is_allowed(user, access) and (not in_admin or access == PUBLIC or is_allowed(user, STAFF))
        expected = status if allowed else refusal_status(user, in_admin=in_admin)
        is_api = url.startswith("/api/v1/") and method != "get"
        response = getattr(client, method)(url, **({"content_type": "application/json"} if is_api else {}))
        if user in WITHOUT_BORROWERS:
            page = shown(client, response)
            leaks += [url for secret in (b"Zyxwvut", b"CARD-OF-ZYX") if secret in page]
        response.close()
        to_login = response.get("Location", "").startswith("/admin/login/")
        if response.status_code != expected or (to_login and allowed):
            wrong.append((method, url, f"{response.status_code}, not {expected}", name))
    assert (wrong, leaks) == ([], [])


def test_circulation_desk_sees_borrowers(site):
    page = browser("circulation desk").get("/admin/people/borrower/").content.decode()
    assert "CARD-OF-ZYX" in page
    assert "Zyxwvut Reader" in page
