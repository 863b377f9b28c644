"""Pages work in a real browser under the content security policy, which blocks injected scripts."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from library.admin_site.roles import ADMINISTRATORS
from tests.e2e.processes import runserver
from tests.library.admin_site.url_permissions import expectations, is_allowed
from tests.library.admin_site.url_samples import fill_route, make_samples, walk

#: Images, data and scripts; for these a browser would request a default icon.
NOT_PAGES = (
    "media/",
    "health/",
    "metrics",
    "api/schema/",
    "api/v1/",
    "admin/search/",
    "admin/jsi18n/",
    "admin/autocomplete/",
    "admin/classifier/review/categories/",
    "admin/classifier/run/progress/",
)
#: Downloads.
DOWNLOADS = ("/export/", "/letters/")


@pytest.fixture
def urls(small_library, open_database, settings):
    """URLs of all pages that a superuser can open, with sample records."""
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    expected = expectations()
    with open_database(small_library):
        User.objects.create_superuser("root", password="right")
        samples = make_samples()
        return [
            fill_route(name, route, samples)
            for name, route in walk()
            if "get" in expected[name]
            and expected[name]["get"][1] == 200
            and is_allowed(ADMINISTRATORS, expected[name]["get"][0])
            and not route.startswith(NOT_PAGES)
            and not route.endswith(DOWNLOADS)
        ]


@pytest.fixture
def site(small_library, urls):
    with runserver(small_library) as url:
        yield url


#: Inject scripts into a page, as an attacker would.
INJECT = """() => {
    document.body.insertAdjacentHTML("beforeend", '<img src="" onerror="window.ran = 1">');
    const script = document.createElement("script");
    script.textContent = "window.ran = 2";
    document.body.append(script);
    return window.ran;
}"""


@pytest.mark.thorough
def test_pages_work_and_block_injected_scripts(urls, site, page):
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}/admin/")
    assert len(urls) > 50
    for url in urls:
        page.goto(f"{site}{url}")
    assert page.errors == []

    # Alpine and Select2, with their requests.
    page.goto(f"{site}/admin/circulation/loan/add/")
    page.locator(".field-borrower .select2-selection").click()
    page.locator(".select2-search__field").fill("CARD-OF-ZYX")
    page.get_by_role("option", name="CARD-OF-ZYX").click()
    expect(page.locator(".field-borrower .select2-selection")).to_contain_text("CARD-OF-ZYX")
    page.get_by_text("root").first.click()
    expect(page.get_by_role("button", name="简体中文")).to_be_visible()
    assert page.errors == []

    for url in ("/", "/admin/", "/api/docs/"):
        page.goto(f"{site}{url}")
        assert page.evaluate(INJECT) is None
        assert len([error for error in page.errors if "Content Security Policy" in error]) == 2
        page.errors.clear()
