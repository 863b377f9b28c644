"""Statistics pages in a real browser: filters, reload, CSV and printing."""

import csv
import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from library.analytics.services.refresh import refresh_statistics
from library.circulation.services.checkout import checkout
from tests.e2e.processes import runserver
from tests.factories import make_borrower, make_branch, make_copy, make_policy


@pytest.fixture
def site(small_library, open_database, settings):
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with open_database(small_library):
        User.objects.create_superuser("root", password="right")
        make_policy()
        east, west = make_branch(name="East"), make_branch(name="West")
        for branch in (east, east, west):
            checkout(
                copy=make_copy(branch=branch), borrower=make_borrower(), branch=branch, now=timezone.now()
            )
        refresh_statistics(now=timezone.now())
    with runserver(small_library) as url:
        yield url


def test_filters_survive_reload_and_apply_to_csv(site, page):
    page.goto(f"{site}/admin/login/?next=/admin/analytics/statistics/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()

    page.get_by_label("Branch", exact=True).select_option("East")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"branch=\d+"))
    page.reload()
    expect(page.get_by_label("Branch", exact=True).locator("option:checked")).to_have_text("East")
    figure = page.locator("figure").first
    figure.get_by_text("Show table").click()
    expect(figure.get_by_role("row").last.get_by_role("cell").first).to_have_text("2")

    with page.expect_download() as saved:
        figure.get_by_role("link", name="Download CSV").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading[1] == "Checkouts"
    assert rows[-1][1] == "2"

    page.get_by_role("link", name="Print view").click()
    expect(page.get_by_text("East", exact=True).first).to_be_visible()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    assert page.errors == []
    assert page.hosts == {site.removeprefix("http://")}
