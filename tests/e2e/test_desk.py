"""A day at the desk in a real browser, with a scanner: it types and presses Enter, and so do we."""

import re
import sys

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from library.circulation.services.holds import place_hold
from tests.e2e.processes import environment, started
from tests.factories import make_book, make_borrower, make_copy, make_policy


@pytest.fixture
def site(small_library, opened, settings):
    # The password is hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with opened(small_library):
        User.objects.create_superuser("root", password="right")
        make_policy()
        copy = make_copy(barcode="K-OPTICS", book=make_book(title="Optics"))
        make_borrower(card_number="CARD-1", name="Anna Chen")
        second = make_borrower(card_number="CARD-2", name="Bob Li")
        place_hold(book=copy.book, borrower=second, pickup_branch=None, now=timezone.now())
        make_copy(book=copy.book)  # one for each, so that the first of them may have it
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(small_library)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


def test_a_checkout_and_a_checkin_are_scanned_without_a_mouse(site, page):
    page.goto(f"{site}/admin/login/?next=/admin/circulation/loan/checkout/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")

    def scan(code):
        expect(page.locator("#scan")).to_be_focused()
        page.keyboard.type(code)
        page.keyboard.press("Enter")

    scan("CARD-1")
    expect(page.get_by_role("link", name="Anna Chen")).to_be_visible()
    scan("K-OPTICS")
    expect(page.get_by_text(re.compile(r"Lent until .*: Optics \(K-OPTICS\)"))).to_be_visible()
    scan("K-OPTICS")
    expect(page.get_by_text("The copy K-OPTICS is on loan: check it in first.")).to_be_visible()
    expect(page.get_by_text("1 on loan")).to_be_visible()

    page.goto(f"{site}/admin/circulation/loan/checkin/")
    scan("K-OPTICS")
    expect(page.get_by_text("Returned: Optics (K-OPTICS).")).to_be_visible()
    expect(page.get_by_text("To the hold shelf, for the borrower with the card CARD-2.")).to_be_visible()
    expect(page.locator("#scan")).to_be_focused()
    page.goto(f"{site}/admin/circulation/loan/checkout/")
    scan("CARD-1")
    expect(page.get_by_text("0 on loan")).to_be_visible()

    # The page's own link is in sight among all the others, however low the screen is.
    page.set_viewport_size({"width": 1280, "height": 400})
    for address in ("/admin/catalogue/book/", "/admin/analytics/statistics/shelf/", "/admin/auth/user/"):
        page.goto(f"{site}{address}")
        expect(page.locator("#nav-sidebar-apps a.active")).to_be_in_viewport()
    assert page.wrong == []
