"""Sign-in lockout after wrong passwords, for the admin and for tokens, by user name and IP address."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.settings import api_settings

from library.admin_site.roles import ADMINISTRATORS
from library.rest.auth.throttles import client_address
from library.rest.models import ApiToken
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db

ADMIN, TOKEN = "/admin/login/", "/api/v1/token/"


@pytest.fixture(autouse=True)
def root():
    return User.objects.create_superuser("root", password="right")


def sign_in(address, password, *, username="root", times=1, **options):
    """Sign in `times` times; return the last response."""
    for _ in range(times):
        response = Client(**options).post(address, {"username": username, "password": password})
    return response


@pytest.mark.parametrize("wrong_at", [ADMIN, TOKEN])
def test_five_failures_lock_the_admin_and_the_api(wrong_at):
    sign_in(wrong_at, "wrong", times=4)
    assert sign_in(ADMIN, "right").status_code == 302
    sign_in(wrong_at, "wrong", times=5)
    assert sign_in(ADMIN, "right").status_code == 429
    response = sign_in(TOKEN, "right")
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert response["Retry-After"] == "900"
    assert not ApiToken.objects.exists()


def test_lockout_page_is_translated():
    sign_in(ADMIN, "wrong", times=4)
    page = sign_in(ADMIN, "wrong").content.decode()
    assert "<h1>Too many failed sign-ins</h1>" in page
    assert "Sign-in is locked for a while, even with the correct password." in page
    assert 'href="/admin/login/"' in page
    page = sign_in(ADMIN, "right", headers={"accept-language": "zh-hans"}).content.decode()
    assert "<h1>登录失败次数过多</h1>" in page
    assert "登录已暂时锁定，密码正确也无法登录" in page


def test_other_users_and_addresses_are_not_locked():
    User.objects.create_superuser("other", password="right")
    sign_in(ADMIN, "wrong", times=5)
    assert sign_in(ADMIN, "right", username="other").status_code == 302
    assert sign_in(ADMIN, "right", REMOTE_ADDR="10.0.0.9").status_code == 302
    assert sign_in(ADMIN, "right").status_code == 429


def test_lockout_expires():
    sign_in(ADMIN, "wrong", times=5)
    attempt = AccessAttempt.objects.get()
    for age, status in ((timedelta(minutes=14), 429), (timedelta(minutes=16), 302)):
        AccessAttempt.objects.update(attempt_time=attempt.attempt_time - age)
        assert sign_in(ADMIN, "right").status_code == status


def test_administrator_ends_the_lockout():
    sign_in(ADMIN, "wrong", times=5)
    page = f"/admin/axes/accessattempt/{AccessAttempt.objects.get().pk}/delete/"
    assert desk(make_user(ADMINISTRATORS)).post(page, {"post": "yes"}).status_code == 302
    assert sign_in(ADMIN, "right").status_code == 302


def test_wrong_password_is_not_stored():
    sign_in(ADMIN, "my-other-password", times=2)
    attempt = AccessAttempt.objects.values().get()
    assert not [value for value in attempt.values() if "my-other-password" in str(value)]


def test_sign_in_takes_13_queries(django_assert_num_queries):
    with django_assert_num_queries(13):
        sign_in(ADMIN, "right")


def address_behind(proxies, settings, forwarded):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    extra = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    return client_address(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **extra))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "10.0.0.1"),
        (0, "6.6.6.6", "10.0.0.1"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (2, "6.6.6.6, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        (1, "", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_set_the_address(settings, proxies, forwarded, address):
    assert address_behind(proxies, settings, forwarded) == address


@given(claimed=st.lists(st.ip_addresses().map(str), max_size=5))
def test_forged_forwarded_header_is_ignored(claimed):
    assert api_settings.NUM_PROXIES == 0
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=", ".join(claimed))
    assert client_address(request) == "10.0.0.1"
