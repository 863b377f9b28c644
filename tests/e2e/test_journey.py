"""A librarian's day at the desk's pages in a real browser; what they look like is kept as pictures.

``DESK_PICTURES`` names a folder for the pictures; without it they lie in pytest's own.
"""

import csv
import os
import re
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from library.analytics.services.refresh import refresh_statistics
from library.catalogue.models import Category
from library.circulation.services.checkout import checkout
from tests.classifier.admin.test_version_figures import METRICS
from tests.classifier.factories import make_item, make_suggestion, make_version
from tests.classifier.libraries import QUICK
from tests.e2e.processes import environment, manage, started
from tests.factories import NOW, make_book, make_borrower, make_branch, make_category, make_copy, make_policy

REVIEW = "/admin/classifier/review/next/"
RUNS = "/admin/classifier/run/"
VERSIONS = "/admin/classifier/modelversion/"
STATISTICS = "/admin/analytics/statistics/"
BOOK_LIST = "/admin/catalogue/book/"
BOOKS = 10
SIZES = {"desktop": (1280, 800), "tablet": (820, 1180)}
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def library(small_library, opened, settings):
    """A library with ten books to review; their titles by place."""
    # The password is hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with opened(small_library):
        User.objects.create_superuser("root", password="right")
        category = Category.objects.earliest("pk")
        for place in range(BOOKS):
            suggestion = make_suggestion(
                book=make_book(title=f"Star {place}", description="star comet orbit"), category=category,
                probability=0.99,
            )  # fmt: skip
            make_item(book=suggestion.book, place=place, unsure=True)
    return small_library


@pytest.fixture
def site(library):
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(library, PROMOTION="manual")) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


@pytest.fixture
def pictured(page, tmp_path):
    """Keep pictures of the page that is shown, light and dark, on a desktop and on a tablet."""
    folder = Path(os.environ.get("DESK_PICTURES", tmp_path))

    def keep(name):
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("dark", "light"):
                # As choosing it does; the theme itself looks at the browser's only when a page is loaded.
                page.evaluate(
                    "dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark"
                )
                page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
        page.set_viewport_size({"width": 1280, "height": 800})

    return keep


def sign_in(page, site):
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/admin/")


@pytest.fixture
def trained(library):
    """A library whose model has learned once."""
    settings = [word for setting in QUICK for word in ("--set", setting)]
    done = manage(library, "train", *settings)
    assert done.returncode == 0, done.stderr
    return library


def test_a_day_at_the_desk(trained, site, page, pictured):
    sign_in(page, site)
    expect(page.get_by_role("link", name="Waiting for review")).to_contain_text(str(BOOKS))
    pictured("home")

    page.goto(f"{site}{REVIEW}")
    pictured("review")
    for place in range(BOOKS):
        expect(page.locator("article:not([hidden]) h2")).to_contain_text(f"Star {place}")
        page.keyboard.press("a")
    expect(page.get_by_text("Nothing waits for review here.")).to_be_visible()

    worker = (sys.executable, "-m", "celery", "-A", "library", "worker", "--pool", "solo")
    with started(*worker, env=environment(trained, PROMOTION="manual")):
        page.goto(f"{site}{RUNS}")
        page.get_by_role("button", name="Train now").click()
        newest = page.locator("#result_list tbody").first
        expect(newest).to_contain_text("train 2")
        pictured("runs")
        # Nobody loads the page anew.
        expect(newest).to_contain_text("succeeded", timeout=120_000)

    page.goto(f"{site}{VERSIONS}compare/")
    expect(page.get_by_role("heading", name="Accuracy and coverage")).to_be_visible()
    # Drawn when it is in sight.
    page.locator(".chart-drawing").first.scroll_into_view_if_needed()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    pictured("compare")
    page.goto(f"{site}{VERSIONS}")
    page.get_by_role("button", name="Promote").first.click()
    expect(page.get_by_text("classifies from now on.")).to_be_visible()
    page.get_by_role("link", name=re.compile(r"^\d{8}-")).first.click()
    expect(page.locator("output")).to_have_text("90%")
    page.get_by_label("Right answers wanted").press("End")
    expect(page.locator("output")).to_have_text("100%")
    # The theme draws an arrow for each, in the corner of the row.
    arrows = "all => all.map(each => getComputedStyle(each, '::after').content)"
    assert set(page.locator("summary").evaluate_all(arrows)) == {"none"}
    pictured("version")
    page.goto(f"{site}{VERSIONS}")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back:")).to_be_visible()

    page.get_by_text("root").first.click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.goto(f"{site}/admin/")
    expect(page.get_by_role("link", name="等待审核")).to_be_visible()
    pictured("home-chinese")
    assert page.wrong == []
    assert page.hosts - {""} == {site.removeprefix("http://")}


@pytest.fixture
def lent(library, opened):
    """A library in which four books were lent in spring: of each branch and category some, and one before."""
    with opened(library):
        make_policy()
        east, west = make_branch(name="East"), make_branch(name="West")
        birds, trees = make_category(label_en="Birds"), make_category(label_en="Trees")
        told = [
            (birds, east, datetime(2023, 12, 31, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 3, 5, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 3, 6, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 4, 2, 12, tzinfo=UTC)),
            (birds, west, datetime(2024, 3, 5, 12, tzinfo=UTC)),
            (trees, east, datetime(2024, 3, 5, 12, tzinfo=UTC)),
        ]
        for category, branch, now in told:
            copy = make_copy(book=make_book(category=category), branch=branch)
            checkout(copy=copy, borrower=make_borrower(), branch=branch, now=now)
        refresh_statistics(now=timezone.now())
    return library


def test_a_file_is_mended_and_imported_and_a_chart_filtered_and_saved(lent, site, page, pictured, tmp_path):
    sign_in(page, site)
    page.goto(f"{site}{BOOK_LIST}")
    page.get_by_role("link", name="Import books").click()
    file = tmp_path / "new.csv"
    file.write_text("id,title,year\nn1,Herons,2001\nn2,,2002\nn3,Elms,soon\n", encoding="utf-8")
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status")).to_have_text("new.csv: 2 rows to mend")
    expect(page.get_by_text("title No title. The row is left out.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"year .soon. is no year up to \d{4}; left out\."))).to_be_visible()
    pictured("import")
    page.get_by_label("Line 3").fill("n2,Owls,2002")
    page.get_by_label("Line 4").fill("n3,Elms,2003")
    page.get_by_role("button", name="Check again").last.click()
    expect(page.get_by_role("status")).to_have_text("new.csv: nothing to mend")
    # Nothing is written until it is said.
    pictured("import-mended")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("new.csv: new books 3, new copies 3")).to_be_visible()
    page.goto(f"{site}{BOOK_LIST}?q=owls")
    expect(page.get_by_role("link", name="Owls")).to_be_visible()

    page.goto(f"{site}{STATISTICS}")
    page.get_by_label("From", exact=True).fill("2024-01-01")
    page.get_by_label("To", exact=True).fill("2024-06-30")
    page.get_by_label("Branch", exact=True).select_option("East")
    page.get_by_role("combobox", name="Category").fill("Birds")
    page.get_by_role("option", name="Birds").click()
    page.get_by_role("button", name="Choose").click()
    chosen = re.compile(r"start=2024-01-01&end=2024-06-30&branch=\d+&category=\d+")
    expect(page).to_have_url(chosen)
    page.reload()
    expect(page).to_have_url(chosen)
    expect(page.get_by_label("From", exact=True)).to_have_value("2024-01-01")
    expect(page.get_by_label("Branch", exact=True).locator("option:checked")).to_have_text("East")
    expect(page.get_by_role("combobox", name="Category")).to_have_value(re.compile("Birds"))
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    pictured("statistics")
    figure = page.locator("figure").first
    with page.expect_download() as saved:
        figure.get_by_role("link", name="These figures as CSV").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as rows:
        assert list(csv.reader(rows)) == [
            ["Period", "Checkouts", "Renewals", "Checkins"],
            ["2024-01-01", "0", "0", "0"],
            ["2024-02-01", "0", "0", "0"],
            ["2024-03-01", "2", "0", "0"],
            ["2024-04-01", "1", "0", "0"],
            ["2024-05-01", "0", "0", "0"],
            ["2024-06-01", "0", "0", "0"],
        ]
    assert page.wrong == []
    assert page.hosts - {""} == {site.removeprefix("http://")}


@pytest.fixture
def many_pages(library, opened):
    """Addresses of pages of the desk with something on each."""
    with opened(library):
        active = make_version(state="active", activated_at=NOW, metrics=METRICS)
        make_version(metrics=METRICS)
    return [
        "/admin/",
        REVIEW,
        "/admin/classifier/review/groups/",
        BOOK_LIST,
        f"{BOOK_LIST}import/",
        "/admin/circulation/loan/import/",
        f"{BOOK_LIST}add/",
        RUNS,
        f"{VERSIONS}{active.pk}/change/",
        f"{VERSIONS}compare/",
        STATISTICS,
    ]


@pytest.mark.thorough
def test_no_page_shuts_anybody_out(many_pages, site, page):
    sign_in(page, site)
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for address in many_pages:
            page.goto(f"{site}{address}")
            expect(page.locator("html.dark")).to_have_count(int(theme == "dark"))
            page.evaluate(AXE)
            told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert len(told["passes"]) > 20
            found += [
                (theme, address, wrong["id"], node["target"])
                for wrong in told["violations"]
                if wrong["impact"] in ("serious", "critical")
                for node in wrong["nodes"]
            ]
    assert found == []
