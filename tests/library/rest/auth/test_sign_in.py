"""Wrong passwords make even the right one wait: at the admin and for tokens, by name and address."""

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
    """The last of so many answers."""
    for _ in range(times):
        answer = Client(**options).post(address, {"username": username, "password": password})
    return answer


@pytest.mark.parametrize("wrong_at", [ADMIN, TOKEN])
def test_after_five_failures_even_the_right_password_waits_everywhere(wrong_at):
    sign_in(wrong_at, "wrong", times=4)
    assert sign_in(ADMIN, "right").status_code == 302
    sign_in(wrong_at, "wrong", times=5)
    assert sign_in(ADMIN, "right").status_code == 429
    answer = sign_in(TOKEN, "right")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Retry-After"] == "900"
    assert not ApiToken.objects.exists()


def test_the_page_says_what_to_do_in_both_languages():
    sign_in(ADMIN, "wrong", times=4)
    page = sign_in(ADMIN, "wrong").content.decode()
    assert "<h1>Too many attempts</h1>" in page
    assert "Signing in failed too often. For a while even the right password is not taken" in page
    assert 'href="/admin/login/"' in page
    page = sign_in(ADMIN, "right", headers={"accept-language": "zh-hans"}).content.decode()
    assert "<h1>尝试次数过多</h1>" in page
    assert "登录失败次数过多。一段时间内即使密码正确也不予登录" in page


def test_neither_other_names_nor_other_addresses_wait():
    User.objects.create_superuser("other", password="right")
    sign_in(ADMIN, "wrong", times=5)
    assert sign_in(ADMIN, "right", username="other").status_code == 302
    assert sign_in(ADMIN, "right", REMOTE_ADDR="10.0.0.9").status_code == 302
    assert sign_in(ADMIN, "right").status_code == 429


def test_the_wait_ends_by_itself():
    sign_in(ADMIN, "wrong", times=5)
    attempt = AccessAttempt.objects.get()
    for age, status in ((timedelta(minutes=14), 429), (timedelta(minutes=16), 302)):
        AccessAttempt.objects.update(attempt_time=attempt.attempt_time - age)
        assert sign_in(ADMIN, "right").status_code == status


def test_an_administrator_ends_the_wait():
    sign_in(ADMIN, "wrong", times=5)
    page = f"/admin/axes/accessattempt/{AccessAttempt.objects.get().pk}/delete/"
    assert desk(make_user(ADMINISTRATORS)).post(page, {"post": "yes"}).status_code == 302
    assert sign_in(ADMIN, "right").status_code == 302


def test_the_wrong_password_is_kept_nowhere():
    sign_in(ADMIN, "my-other-password", times=2)
    kept = AccessAttempt.objects.values().get()
    assert not [value for value in kept.values() if "my-other-password" in str(value)]


def test_signing_in_stays_within_its_queries(django_assert_num_queries):
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
def test_only_what_our_own_proxies_say_of_an_address_counts(settings, proxies, forwarded, address):
    assert address_behind(proxies, settings, forwarded) == address


@given(claimed=st.lists(st.ip_addresses().map(str), max_size=5))
def test_whatever_a_stranger_claims_changes_nothing(claimed):
    assert api_settings.NUM_PROXIES == 0
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=", ".join(claimed))
    assert client_address(request) == "10.0.0.1"
