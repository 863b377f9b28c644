"""The pages work in a real browser under the content security policy, which says what it must."""

import re
import sys

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from library.admin_site.roles import ADMINISTRATORS
from tests.e2e.processes import environment, started
from tests.library.admin_site.addresses import expectations, filled, is_allowed, make_samples, walk

#: Pictures, data and scripts; opened as a page, a browser looks for an icon that nobody named.
NO_PAGES = (
    "media/",
    "health/ready",
    "metrics",
    "api/schema/",
    "api/v1/",
    "admin/search/",
    "admin/jsi18n/",
    "admin/autocomplete/",
    "admin/classifier/review/categories/",
    "admin/classifier/run/progress/",
)
#: Saved, not opened.
FILES = ("/export/", "/letters/")


@pytest.fixture
def addresses(small_library, opened, settings):
    """All pages of the site that a superuser can open, with a record each."""
    # The password is hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    expected = expectations()
    with opened(small_library):
        User.objects.create_superuser("root", password="right")
        samples = make_samples()
        return [
            filled(name, route, samples)
            for name, route in walk()
            if "get" in expected[name]
            and expected[name]["get"][1] == 200
            and is_allowed(ADMINISTRATORS, expected[name]["get"][0])
            and not route.startswith(NO_PAGES)
            and not route.endswith(FILES)
        ]


@pytest.fixture
def site(small_library, addresses):
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(small_library)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


#: Puts a script and its like into a page, as an attacker would.
INJECT = """() => {
    document.body.insertAdjacentHTML("beforeend", '<img src="" onerror="window.ran = 1">');
    const script = document.createElement("script");
    script.textContent = "window.ran = 2";
    document.body.append(script);
    return window.ran;
}"""


@pytest.mark.thorough
def test_every_page_works_under_the_policy_and_none_runs_what_is_put_into_it(addresses, site, page):
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}/admin/")
    assert len(addresses) > 50
    for address in addresses:
        page.goto(f"{site}{address}")
    assert page.wrong == []

    # What takes Alpine, Select2 and their requests.
    page.goto(f"{site}/admin/circulation/loan/add/")
    page.locator(".field-borrower .select2-selection").click()
    page.locator(".select2-search__field").fill("CARD-OF-ZYX")
    page.get_by_role("option", name="CARD-OF-ZYX").click()
    expect(page.locator(".field-borrower .select2-selection")).to_contain_text("CARD-OF-ZYX")
    page.get_by_text("root").first.click()
    expect(page.get_by_role("button", name="简体中文")).to_be_visible()
    assert page.wrong == []

    for address in ("/", "/admin/", "/api/docs/"):
        page.goto(f"{site}{address}")
        assert page.evaluate(INJECT) is None
        assert len([error for error in page.wrong if "Content Security Policy" in error]) == 2
        page.wrong.clear()
