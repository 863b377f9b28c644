"""Main tasks of a librarian in a real browser; ``SCREENSHOT_DIR`` names a folder for screenshots."""

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

from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.analytics.services.refresh import refresh_statistics
from library.catalogue.models import Category
from library.circulation.services.checkout import checkout
from tests.classifier.admin.test_version_metrics import METRICS
from tests.classifier.factories import make_item, make_suggestion, make_version
from tests.classifier.libraries import QUICK
from tests.e2e.processes import environment, runserver, start_service
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
def library(small_library, open_database, settings):
    """A library with ten books to review, in the order of their titles."""
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with open_database(small_library):
        User.objects.create_superuser("root", password="right")
        category = Category.objects.earliest("pk")
        for position in range(BOOKS):
            suggestion = make_suggestion(
                book=make_book(title=f"Star {position}", description="star comet orbit"), category=category,
                probability=0.99,
            )  # fmt: skip
            make_item(book=suggestion.book, position=position, low_confidence=True)
    return small_library


@pytest.fixture
def site(library):
    with runserver(library, PROMOTION="manual") as url:
        yield url


@pytest.fixture
def screenshot(page):
    """Save screenshots of the page, light and dark, on a desktop and on a tablet, if they are requested."""
    folder = os.environ.get("SCREENSHOT_DIR")

    def save(name):
        if folder is None:
            return
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("dark", "light"):
                # As the theme switch does; the browser's preference is only read when a page loads.
                page.evaluate(
                    "dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark"
                )
                page.screenshot(path=Path(folder) / f"{name}-{size}-{theme}.png")
        page.set_viewport_size({"width": 1280, "height": 800})

    return save


def sign_in(page, site):
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/admin/")


@pytest.fixture
def trained(library, open_database, settings):
    """A library with a model version."""
    settings.DATA_DIR, settings.MODELS_DIR = library, library / "models"
    with open_database(library):
        train(JobContext(now=NOW), settings=QUICK)
    return library


def test_librarian_reviews_trains_and_promotes(trained, site, page, screenshot):
    sign_in(page, site)
    expect(page.get_by_role("link", name="Waiting for review")).to_contain_text(str(BOOKS))
    screenshot("home")

    page.goto(f"{site}{REVIEW}")
    screenshot("review")
    for position in range(BOOKS):
        expect(page.locator("article:not([hidden]) h2")).to_contain_text(f"Star {position}")
        page.keyboard.press("a")
    expect(
        page.get_by_text(
            "No books to review here. Books that need review appear after each reclassification."
        )
    ).to_be_visible()

    worker = (sys.executable, "-m", "celery", "-A", "library", "worker", "--pool", "solo")
    with start_service(*worker, env=environment(trained, PROMOTION="manual")):
        page.goto(f"{site}{RUNS}")
        page.get_by_role("button", name="Train", exact=True).click()
        newest = page.locator("#result_list tbody").first
        expect(newest).to_contain_text("Train model 1")
        screenshot("runs")
        # The page updates itself.
        expect(newest).to_contain_text("succeeded", timeout=120_000)

    page.goto(f"{site}{VERSIONS}compare/")
    expect(page.get_by_role("heading", name="Accuracy and coverage")).to_be_visible()
    # Charts are drawn when they scroll into view.
    page.locator(".chart-drawing").first.scroll_into_view_if_needed()
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    screenshot("compare")
    page.goto(f"{site}{VERSIONS}")
    page.get_by_role("button", name="Promote").first.click()
    expect(page.get_by_text("is now active.")).to_be_visible()
    page.get_by_role("link", name=re.compile(r"^\d{8}-")).first.click()
    expect(page.locator("output")).to_have_text("90%")
    page.get_by_label("Target precision").press("End")
    expect(page.locator("output")).to_have_text("100%")
    # The theme would draw a second arrow in the corner of the row.
    arrows = "all => all.map(summary => getComputedStyle(summary, '::after').content)"
    assert set(page.locator("summary").evaluate_all(arrows)) == {"none"}
    screenshot("version")
    page.goto(f"{site}{VERSIONS}")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back:")).to_be_visible()

    page.get_by_text("root").first.click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.goto(f"{site}/admin/")
    expect(page.get_by_role("link", name=re.compile("待审核"))).to_be_visible()
    screenshot("home-chinese")
    assert page.errors == []
    assert page.hosts - {""} == {site.removeprefix("http://")}


@pytest.fixture
def circulated(library, open_database):
    """A library with checkouts in spring 2024 in two branches and categories, and one before."""
    with open_database(library):
        make_policy()
        east, west = make_branch(name="East"), make_branch(name="West")
        birds, trees = make_category(label_en="Birds"), make_category(label_en="Trees")
        checkouts = [
            (birds, east, datetime(2023, 12, 31, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 3, 5, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 3, 6, 12, tzinfo=UTC)),
            (birds, east, datetime(2024, 4, 2, 12, tzinfo=UTC)),
            (birds, west, datetime(2024, 3, 5, 12, tzinfo=UTC)),
            (trees, east, datetime(2024, 3, 5, 12, tzinfo=UTC)),
        ]
        for category, branch, now in checkouts:
            copy = make_copy(book=make_book(category=category), branch=branch)
            checkout(copy=copy, borrower=make_borrower(), branch=branch, now=now)
        refresh_statistics(now=timezone.now())
    return library


def test_import_with_corrections_and_statistics_with_filters(circulated, site, page, screenshot, tmp_path):
    sign_in(page, site)
    page.goto(f"{site}{BOOK_LIST}")
    page.get_by_role("link", name="Import books").click()
    file = tmp_path / "new.csv"
    file.write_text("id,title,year\nn1,Herons,2001\nn2,,2002\nn3,Elms,soon\n", encoding="utf-8")
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    expect(page.get_by_role("status")).to_have_text("new.csv: 2 rows need attention")
    expect(page.get_by_text("title Missing title.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"year .*soon.* is not a year from 1 to \d{4}"))).to_be_visible()
    screenshot("import")
    page.get_by_label("Line 3").fill("n2,Owls,2002")
    page.get_by_label("Line 4").fill("n3,Elms,2003")
    page.get_by_role("button", name="Check again").last.click()
    expect(page.get_by_role("status")).to_have_text("new.csv: no errors")
    # Nothing is imported before it is confirmed.
    screenshot("import-corrected")
    page.get_by_role("button", name="Import file").click()
    expect(page.get_by_text("new.csv: new books 3, new copies 3")).to_be_visible()
    page.goto(f"{site}{BOOK_LIST}?q=owls")
    expect(page.get_by_role("link", name="Owls")).to_be_visible()

    page.goto(f"{site}{STATISTICS}")
    page.get_by_label("From", exact=True).fill("2024-01-01")
    page.get_by_label("To", exact=True).fill("2024-06-30")
    page.get_by_label("Branch", exact=True).select_option("East")
    field = page.locator(".select2-selection")
    field.click()
    page.locator(".select2-search__field").fill("Birds")
    page.get_by_role("option", name="Birds").click()
    page.get_by_role("button", name="Apply").click()
    filtered_url = re.compile(r"start=2024-01-01&end=2024-06-30&branch=\d+&category=\d+")
    expect(page).to_have_url(filtered_url)
    page.reload()
    expect(page).to_have_url(filtered_url)
    expect(page.get_by_label("From", exact=True)).to_have_value("2024-01-01")
    expect(page.get_by_label("Branch", exact=True).locator("option:checked")).to_have_text("East")
    expect(field).to_contain_text("Birds")
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    screenshot("statistics")
    figure = page.locator("figure").first
    with page.expect_download() as saved:
        figure.get_by_role("link", name="Download CSV").click()
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
    assert page.errors == []
    assert page.hosts - {""} == {site.removeprefix("http://")}


@pytest.fixture
def paths(library, open_database):
    """Paths of admin pages with content."""
    with open_database(library):
        active = make_version(state="active", activated_at=NOW, metrics=METRICS)
        make_version(metrics=METRICS)
    return [
        "/admin/",
        REVIEW,
        "/admin/classifier/review/bulk/",
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
def test_pages_are_accessible(paths, site, page):
    sign_in(page, site)
    violations = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for path in paths:
            page.goto(f"{site}{path}")
            expect(page.locator("html.dark")).to_have_count(int(theme == "dark"))
            page.evaluate(AXE)
            report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert len(report["passes"]) > 20
            violations += [
                (theme, path, violation["id"], node["target"])
                for violation in report["violations"]
                if violation["impact"] in ("serious", "critical")
                for node in violation["nodes"]
            ]
    assert violations == []
