"""First steps with the demo in a real browser."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.processes import runserver

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def site(demo):
    """URL of a server of the demo."""
    with runserver(demo.folder) as url:
        yield url


def test_new_user_accepts_a_suggestion_and_switches_to_chinese(demo, site, page):
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

    assert page.errors == []
    assert page.hosts == {urlsplit(site).netloc}
