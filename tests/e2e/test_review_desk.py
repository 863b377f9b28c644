"""Reviews in a real browser: by keyboard, without waiting, after a lost connection, without scripts."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tests.classifier.factories import make_item, make_suggestion
from tests.e2e.processes import runserver
from tests.factories import make_book, make_category

TITLES = ["Optics", "Lenses", "Prisms", "Mirrors", "Lasers"]
NEXT = "/admin/classifier/review/next/"


@pytest.fixture
def site(small_library, open_database, settings):
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with open_database(small_library):
        User.objects.create_superuser("root", password="right")
        science = make_category(notation="5", label_en="Science")
        physics = make_category(notation="530", label_en="Physics", parent=science)
        make_category(notation="535", label_en="Light", parent=physics)
        for place, title in enumerate(TITLES):
            suggestion = make_suggestion(book=make_book(title=title), category=physics, probability=0.5)
            make_suggestion(book=suggestion.book, rank=2, probability=0.2)
            make_item(book=suggestion.book, position=place)
    with runserver(small_library) as url:
        yield url


def sign_in(page, site, to):
    page.goto(f"{site}/admin/login/?next={to}")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}{to}")  # scripts included: keys pressed before they run are lost


def verdicts(page, site):
    """Return the verdicts in force from the API, oldest first: an open browser excludes the ORM."""
    rows = page.request.get(f"{site}/api/v1/reviews/").json()["results"]
    in_force = [row for row in rows if row["withdrawn_at"] is None]
    return [(row["title"], row["verdict"]) for row in reversed(in_force)]


def test_keyboard_reviews_are_saved_in_the_background(site, page):
    sign_in(page, site, NEXT)
    heading = page.locator("article:not([hidden]) h2")

    expect(heading).to_contain_text("Optics")
    page.keyboard.press("?")
    expect(page.get_by_text("Skip: leave the book for other reviewers")).to_be_visible()
    page.keyboard.press("?")
    delayed = []

    def delay(route):
        route.continue_() if delayed else delayed.append(route)

    page.route(f"**{NEXT}", delay)
    page.keyboard.press("a")
    # The server has not responded, and the next books are shown already.
    expect(heading).to_contain_text("Lenses")
    page.keyboard.press("s")
    expect(heading).to_contain_text("Prisms")
    while not delayed:  # Playwright calls route handlers only while it waits
        page.wait_for_timeout(10)
    delayed[0].continue_()
    expect(page.get_by_text("Skipped: Lenses.")).to_be_visible()

    page.keyboard.press("c")
    search = page.locator(".select2-search__field")
    expect(search).to_be_focused()
    page.keyboard.type("lig")
    expect(page.get_by_role("option", name="535 Light")).to_contain_text("Science › Physics")
    page.keyboard.press("Enter")
    expect(heading).to_contain_text("Mirrors")
    expect(page.get_by_text("Corrected: Prisms → 535 Light.")).to_be_visible()
    page.keyboard.press("u")
    expect(heading).to_contain_text("Prisms")
    page.keyboard.press("2")
    expect(heading).to_contain_text("Mirrors")
    page.keyboard.press("c")
    expect(search).to_be_focused()
    page.keyboard.type("nowhere")
    expect(page.get_by_text("No results found")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(heading).to_contain_text("Mirrors")
    page.keyboard.press("r")
    expect(page.get_by_text("Rejected: Mirrors.")).to_be_visible()
    assert verdicts(page, site) == [
        ("Optics", "accept"), ("Lenses", "unknown"), ("Prisms", "correct"), ("Mirrors", "reject"),
    ]  # fmt: skip
    assert page.errors == []


def test_books_are_filtered_by_category(site, page):
    sign_in(page, site, NEXT)
    page.get_by_text("Filter books").click()
    field = page.locator("details.filters .select2-selection")
    field.click()
    page.locator(".select2-search__field").fill("Phys")
    page.get_by_role("option", name="Physics").click()
    expect(field).to_contain_text("Physics")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile(r"category=\d+"))
    expect(field).to_contain_text("Physics")
    field.locator(".select2-selection__clear").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile(r"category=(&|$)"))
    assert page.errors == []


def test_unsent_review_is_sent_after_a_reload(site, page):
    sign_in(page, site, NEXT)
    heading = page.locator("article:not([hidden]) h2")
    expect(heading).to_contain_text("Optics")
    page.on("dialog", lambda dialog: dialog.accept())
    page.route(
        f"**{NEXT}", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
    )
    page.keyboard.press("a")
    expect(page.get_by_text("Reviews not saved yet: 1.")).to_be_visible()
    expect(heading).to_contain_text("Lenses")
    page.unroute(f"**{NEXT}")
    page.reload()
    expect(page.get_by_text("Accepted: Optics → 530 Physics.")).to_be_visible()
    expect(heading).to_contain_text("Lenses")
    assert verdicts(page, site) == [("Optics", "accept")]


def test_reviews_work_without_scripts(site, page):
    context = page.context.browser.new_context(java_script_enabled=False, locale="en-GB")
    plain = context.new_page()
    sign_in(plain, site, NEXT)
    plain.get_by_label("Other category").first.fill("535")
    plain.get_by_role("button", name="Save").click()
    expect(plain.locator("article:not([hidden]) h2")).to_contain_text("Lenses")
    plain.get_by_role("button", name="Accept A").click()
    expect(plain.locator("article:not([hidden]) h2")).to_contain_text("Prisms")
    assert verdicts(plain, site) == [("Optics", "correct"), ("Lenses", "accept")]
    context.close()
