"""Checkout and checkin in a real browser with a barcode scanner, which types and presses Enter."""

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from library.circulation.services.holds import place_hold
from tests.e2e.processes import runserver
from tests.factories import make_book, make_borrower, make_copy, make_policy


@pytest.fixture
def site(small_library, open_database, settings):
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with open_database(small_library):
        User.objects.create_superuser("root", password="right")
        make_policy()
        copy = make_copy(barcode="K-OPTICS", book=make_book(title="Optics"))
        make_borrower(card_number="CARD-1", name="Anna Chen")
        second = make_borrower(card_number="CARD-2", name="Bob Li")
        place_hold(book=copy.book, borrower=second, pickup_branch=None, now=timezone.now())
        make_copy(book=copy.book)  # a copy for each, so that the first borrower may have one
    with runserver(small_library) as url:
        yield url


def test_checkout_and_checkin_need_no_mouse(site, page):
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
    expect(page.get_by_text(re.compile(r"Due .*: Optics \(K-OPTICS\)"))).to_be_visible()
    scan("K-OPTICS")
    expect(page.get_by_text("Copy K-OPTICS is checked out. Check it in first.")).to_be_visible()
    expect(page.get_by_text("On loan: 1")).to_be_visible()

    page.goto(f"{site}/admin/circulation/loan/checkin/")
    scan("K-OPTICS")
    expect(page.get_by_text("Checked in: Optics (K-OPTICS).")).to_be_visible()
    expect(page.get_by_text("Hold for CARD-2: put it on the hold shelf.")).to_be_visible()
    expect(page.locator("#scan")).to_be_focused()
    page.goto(f"{site}/admin/circulation/loan/checkout/")
    scan("CARD-1")
    expect(page.get_by_text("On loan: 0")).to_be_visible()

    # The sidebar shows the link of the open page, however low the screen is.
    page.set_viewport_size({"width": 1280, "height": 400})
    for path in ("/admin/catalogue/book/", "/admin/analytics/statistics/shelf/", "/admin/auth/user/"):
        page.goto(f"{site}{path}")
        expect(page.locator("#nav-sidebar-apps a.active")).to_be_in_viewport()
    assert page.errors == []
