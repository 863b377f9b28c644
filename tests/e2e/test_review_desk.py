"""Reviewing in a real browser: by keyboard alone, without waiting or losing an answer, without scripts."""

import re
import sys

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tests.classifier.factories import make_item, make_suggestion
from tests.e2e.processes import environment, started
from tests.factories import make_book, make_category

TITLES = ["Optics", "Lenses", "Prisms", "Mirrors", "Lasers"]
NEXT = "/admin/classifier/review/next/"


@pytest.fixture
def site(small_library, opened, settings):
    # The password is hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with opened(small_library):
        User.objects.create_superuser("root", password="right")
        science = make_category(notation="5", label_en="Science")
        physics = make_category(notation="530", label_en="Physics", parent=science)
        make_category(notation="535", label_en="Light", parent=physics)
        for place, title in enumerate(TITLES):
            suggestion = make_suggestion(book=make_book(title=title), category=physics, probability=0.5)
            make_suggestion(book=suggestion.book, rank=2, probability=0.2)
            make_item(book=suggestion.book, place=place)
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(small_library)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


def sign_in(page, site, to):
    page.goto(f"{site}/admin/login/?next={to}")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}{to}")  # with its scripts: keys that are pressed before them go nowhere


def verdicts(page, site):
    """Return what stands, the first first; the ORM cannot be asked while a browser is open."""
    rows = page.request.get(f"{site}/api/v1/reviews/").json()["results"]
    standing = [row for row in rows if row["withdrawn_at"] is None]
    return [(row["title"], row["verdict"]) for row in reversed(standing)]


def test_answers_by_keyboard_are_saved_while_the_next_book_is_looked_at(site, page):
    sign_in(page, site, NEXT)
    heading = page.locator("article:not([hidden]) h2")

    expect(heading).to_contain_text("Optics")
    page.keyboard.press("?")
    expect(page.get_by_text("Skip: leave the book to others")).to_be_visible()
    page.keyboard.press("?")
    held = []

    def hold(route):
        held.append(route) if not held else route.continue_()

    page.route(f"**{NEXT}", hold)
    page.keyboard.press("a")
    # Nothing has come back from the server, and the next ones are there.
    expect(heading).to_contain_text("Lenses")
    page.keyboard.press("s")
    expect(heading).to_contain_text("Prisms")
    while not held:  # what the browser does is heard of only while it is waited for
        page.wait_for_timeout(10)
    held[0].continue_()
    expect(page.get_by_text("don't know: Lenses.")).to_be_visible()

    page.keyboard.press("c")
    page.keyboard.type("lig")
    expect(page.get_by_role("option", name="535 Light")).to_contain_text("Science › Physics")
    page.keyboard.press("Enter")
    expect(heading).to_contain_text("Mirrors")
    expect(page.get_by_text("correct: Prisms → 535 Light.")).to_be_visible()
    page.keyboard.press("u")
    expect(heading).to_contain_text("Prisms")
    page.keyboard.press("2")
    expect(heading).to_contain_text("Mirrors")
    page.keyboard.press("c")
    page.keyboard.type("nowhere")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no category “nowhere”.")).to_be_visible()
    expect(heading).to_contain_text("Mirrors")
    page.keyboard.press("r")
    expect(page.get_by_text("reject: Mirrors.")).to_be_visible()
    assert verdicts(page, site) == [
        ("Optics", "accept"), ("Lenses", "unknown"), ("Prisms", "correct"), ("Mirrors", "reject"),
    ]  # fmt: skip
    assert page.wrong == []


def test_books_are_chosen_by_a_category_that_is_found_by_typing(site, page):
    sign_in(page, site, NEXT)
    page.get_by_text("Choose books").click()
    field = page.get_by_role("combobox", name="Category suggested")
    field.fill("Phys")
    page.get_by_role("option", name="Physics").click()
    expect(field).to_have_value(re.compile("Physics"))
    page.get_by_role("button", name="Choose", exact=True).click()
    page.wait_for_url(re.compile(r"category=\d+"))
    expect(field).to_have_value(re.compile("Physics"))

    # Half a word chooses nothing else, and no word takes the choice back.
    field.fill("Chem")
    field.blur()
    expect(field).to_have_value(re.compile("Physics"))
    # By the keyboard alone, out of all that there are.
    field.fill("")
    field.press("ArrowDown")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).not_to_have_count(0)
    field.press("ArrowUp")
    last = re.compile(re.escape(options.last.inner_text()))
    field.press("Enter")
    expect(field).to_have_value(last)
    with page.expect_navigation():
        field.press("Enter")
    expect(field).to_have_value(last)

    field.fill("")
    field.press("Enter")
    page.wait_for_url(re.compile(r"category=(&|$)"))
    page.get_by_text("Choose books").click()
    expect(field).to_have_value("")
    assert page.wrong == []


def test_an_answer_that_could_not_be_sent_is_kept_and_sent_again(site, page):
    sign_in(page, site, NEXT)
    heading = page.locator("article:not([hidden]) h2")
    expect(heading).to_contain_text("Optics")
    page.on("dialog", lambda dialog: dialog.accept())
    page.route(
        f"**{NEXT}", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
    )
    page.keyboard.press("a")
    expect(page.get_by_text("Answers not saved yet: 1.")).to_be_visible()
    expect(heading).to_contain_text("Lenses")
    page.unroute(f"**{NEXT}")
    page.reload()
    expect(page.get_by_text("accept: Optics → 530 Physics.")).to_be_visible()
    expect(heading).to_contain_text("Lenses")
    assert verdicts(page, site) == [("Optics", "accept")]


def test_without_scripts_each_answer_loads_the_page_anew(site, page):
    context = page.context.browser.new_context(java_script_enabled=False, locale="en-GB")
    plain = context.new_page()
    sign_in(plain, site, NEXT)
    plain.get_by_label("Or file under").first.fill("535")
    plain.get_by_role("button", name="Correct").click()
    expect(plain.locator("article:not([hidden]) h2")).to_contain_text("Lenses")
    plain.get_by_role("button", name="Accept A").click()
    expect(plain.locator("article:not([hidden]) h2")).to_contain_text("Prisms")
    assert verdicts(plain, site) == [("Optics", "correct"), ("Lenses", "accept")]
    context.close()
