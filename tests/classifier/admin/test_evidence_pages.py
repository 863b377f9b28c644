"""Evidence of a suggestion on its page."""

import re

import pytest

from tests.classifier.factories import make_suggestion
from tests.factories import make_book, make_category
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

SUGGESTIONS = "/admin/classifier/suggestion/"


def book_url(book):
    return f"/admin/catalogue/book/{book.pk}/change/"


def test_evidence_page():
    history = make_category(scheme="local", notation="900", label_en="History")
    make_category(scheme="local", notation="028", label_en="Children")
    similar = make_book(title="Similar <b>", cover="covers/similar.png")
    borrowed = make_book(title="Borrowed too", cover="covers/other.png")
    suggestion = make_suggestion(
        category=history,
        evidence={
            "score": 2.0,
            "baseline": 0.25,
            "contributions": {"text": 2.5, "cover": -0.75},
            "terms": {"for": [["title", "empire", 0.6]], "against": [["description", "bunny", -0.2]]},
            "modality_predictions": {"text": ["local/900", 0.8], "cover": ["local/028", 0.7]},
            "modalities_disagree": True,
            "excluded_modalities": ["cover"],
            "nearest_books": {
                "cover": [[similar.control_number, "local/028", 0.9], ["gone", "local/none", 0.8]]
            },
            "co_borrowed": {"share": 0.4, "books": [[borrowed.control_number, 0.3]]},
        },
    )
    client = desk(make_librarian())
    url = f"{SUGGESTIONS}{suggestion.pk}/change/"
    assert f'href="{url}"' in client.get(SUGGESTIONS).content.decode()
    assert f'href="{url}"' in client.get(book_url(suggestion.book)).content.decode()
    page = re.sub(r"\s+", " ", client.get(url).content.decode())
    for html in (
        '<rect class="for" x="0" width="1.0" height="1" />',
        "<span>text</span> <svg",
        '<span class="number">+2.50</span>',
        '<rect class="against" x="-0.3" width="0.3" height="1" />',
        '<span class="number">-0.75</span>',
        "Category baseline 0.25 + contributions above = score 2.00.",
        "<p>Ignored: cover. Similar books are classified more accurately without it.</p>",
        '<h4>Words in favour</h4> <p><mark class="for">empire</mark> (title)</p>',
        '<h4>Words against</h4> <p><mark class="against">bunny</mark> (description)</p>',
        "<h4>Sources disagree</h4>",
        "<li>text: 900 History (80%)</li> <li>cover: 028 Children (70%)</li>",
        "<h4>Most similar by cover</h4>",
        f'<li> <img src="{similar.cover.url}" alt="" loading="lazy"> <a href="{book_url(similar)}">Similar',
        "</a> <small>028 Children</small> </li>",
        '<li> <span class="no-cover" aria-hidden="true">gone</span> gone <small>local/none</small> </li>',
        "Often borrowed with these titles in this category (40% of shared borrowing)",
        f'<a href="{book_url(borrowed)}">Borrowed too</a>',
    ):
        assert html in page


def test_suggestion_without_evidence_has_a_page():
    suggestion = make_suggestion()
    response = desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/change/")
    assert response.status_code == 200
    assert 'class="evidence"' not in response.content.decode()


def test_evidence_of_book_without_modalities():
    evidence = {
        "score": 0.25, "baseline": 0.25, "contributions": {}, "terms": {"for": [], "against": []},
        "modality_predictions": {}, "modalities_disagree": False, "excluded_modalities": [],
        "nearest_books": {}, "co_borrowed": {"share": 0.0, "books": []},
    }  # fmt: skip
    suggestion = make_suggestion(evidence=evidence)
    page = desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/change/").content.decode()
    assert "No text, cover or loans available; the most frequent categories are shown." in page
    for absent in ("Words in favour", "Sources", "Most similar", "Often borrowed"):
        assert absent not in page


def test_evidence_page_in_chinese():
    client = desk(make_librarian())
    suggestion = make_suggestion(
        evidence={
            "score": 2.0,
            "baseline": 0.25,
            "contributions": {"text": 1.75},
            "terms": {"for": [["title", "帝国", 0.6]], "against": []},
            "modality_predictions": {"text": ["local/900", 0.8]},
            "modalities_disagree": False,
            "excluded_modalities": ["cover"],
            "nearest_books": {"audio": [["gone", "local/900", 0.8]]},
            "co_borrowed": {"share": 0.4, "books": [["gone", 0.3]]},
        }
    )
    page = client.get(f"{SUGGESTIONS}{suggestion.pk}/change/", headers={"accept-language": "zh-hans"})
    reasons = page.content.decode().partition('<div class="evidence">')[2].partition("</div>")[0]
    plain = re.sub(r"<[^>]*>|gone|local/900", "", reasons)
    assert "帝国" in plain
    assert re.findall(r"[A-Za-z]+", plain) == []
