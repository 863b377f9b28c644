"""The statistics in a real browser: filtered, reloaded, saved as CSV, and drawn in the theme chosen."""

import csv
import re
import sys

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from library.analytics.services.refresh import refresh_statistics
from library.circulation.services.checkout import checkout
from tests.e2e.processes import environment, started
from tests.factories import make_borrower, make_branch, make_copy, make_policy


@pytest.fixture
def site(small_library, opened, settings):
    # The password is hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with opened(small_library):
        User.objects.create_superuser("root", password="right")
        make_policy()
        east, west = make_branch(name="East"), make_branch(name="West")
        for branch in (east, east, west):
            checkout(
                copy=make_copy(branch=branch), borrower=make_borrower(), branch=branch, now=timezone.now()
            )
        refresh_statistics(now=timezone.now())
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(small_library)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


def test_figures_are_filtered_reloaded_and_saved(site, page):
    page.goto(f"{site}/admin/login/?next=/admin/analytics/statistics/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()

    page.get_by_label("Branch", exact=True).select_option("East")
    page.get_by_role("button", name="Choose").click()
    expect(page).to_have_url(re.compile(r"branch=\d+"))
    page.reload()
    expect(page.get_by_label("Branch", exact=True).locator("option:checked")).to_have_text("East")
    figure = page.locator("figure").first
    figure.get_by_text("Table of these figures").click()
    expect(figure.get_by_role("row").last.get_by_role("cell").first).to_have_text("2")

    with page.expect_download() as saved:
        figure.get_by_role("link", name="These figures as CSV").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading[1] == "Checkouts"
    assert rows[-1][1] == "2"

    page.get_by_role("link", name="For printing").click()
    expect(page.get_by_text("East", exact=True).first).to_be_visible()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    assert page.wrong == []
    assert page.hosts == {site.removeprefix("http://")}
