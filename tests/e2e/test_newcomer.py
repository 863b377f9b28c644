"""A librarian's first minutes with the demo, in a real browser."""

import re
import sys
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.processes import environment, started

pytestmark = pytest.mark.xdist_group("demo")


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
