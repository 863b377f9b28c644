"""A librarian's first minutes with the demo, in a real browser."""

import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.processes import environment, started


@pytest.fixture
def page():
    """A page of a browser that notes what it asks for and what goes wrong."""
    with sync_playwright() as playwright:
        browser_file = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(browser_file).exists():
            pytest.skip("No browser: install chromium, or run playwright install chromium.")
        browser = playwright.chromium.launch(
            executable_path=browser_file,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        expect.set_options(timeout=30_000)
        page = browser.new_page(locale="en-GB")
        page.wrong, page.hosts = [], set()
        page.on("console", lambda message: message.type == "error" and page.wrong.append(message.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).netloc))
        page.on("response", lambda answer: answer.status >= 400 and page.wrong.append(answer.url))
        yield page
        browser.close()


@pytest.fixture
def site(demo):
    """The address of a server of the demo."""
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(demo.folder)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


def test_a_newcomer_accepts_a_suggestion_and_goes_on_in_chinese(demo, site, page):
    page.goto(f"{site}/admin/")
    page.get_by_label("Username").fill(demo.result["username"])
    page.get_by_label("Password").fill(demo.result["password"])
    page.get_by_role("button", name="Log in").click()

    sample = demo.result["classifications"][0]
    page.get_by_role("link", name="Books").first.click()
    page.wait_for_url("**/admin/catalogue/book/")
    page.goto(f"{site}/admin/catalogue/book/?category_source__exact=none")
    expect(page.get_by_text("333 results")).to_be_visible()
    page.get_by_role("link", name=sample["title"], exact=True).first.click()
    expect(page.get_by_text("none", exact=True)).to_be_visible()
    page.get_by_role("row", name=sample["suggestion"]).get_by_role("button", name="Accept").click()
    expect(page.get_by_text(f"Filed under {sample['suggestion']} ")).to_be_visible()
    expect(page.get_by_text("librarian", exact=True)).to_be_visible()

    page.get_by_text(demo.result["username"]).first.click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("link", name="图书").first).to_be_visible()
    expect(page.get_by_text("馆员", exact=True)).to_be_visible()
    page.goto(f"{site}/admin/catalogue/book/?category_source__exact=none")
    expect(page.get_by_text("332 条结果")).to_be_visible()

    assert page.wrong == []
    assert page.hosts == {urlsplit(site).netloc}
