"""Highlighting of evidence terms in the text of a book."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.evidence import Evidence, TermContribution
from classifier.presentation.highlighting import FIELDS, highlight


def evidence(*, terms_for=(), terms_against=(), field="title"):
    return Evidence(
        score=0.0,
        baseline=0.0,
        contributions={},
        terms_for=[TermContribution(field, term, 0.5) for term in terms_for],
        terms_against=[TermContribution(field, term, -0.5) for term in terms_against],
        modality_predictions={},
        nearest_books={},
    )


def highlighted_title(text, *, terms_for=(), terms_against=()):
    """Return a title with [terms for] and (terms against) the category in brackets."""
    book = SimpleNamespace(**dict.fromkeys(FIELDS, "") | {"title": text})
    html = highlight(book, evidence(terms_for=terms_for, terms_against=terms_against))["title"]
    html = re.sub(r'<mark class="for"[^>]*>(.*?)</mark>', r"[\1]", html)
    return re.sub(r'<mark class="against"[^>]*>(.*?)</mark>', r"(\1)", html)


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("Coral Reefs", ["coral"], "[Coral] Reefs"),
        ("Corals and coral", ["coral"], "Corals and [coral]"),
        ("Coral, reefs", ["coral", "coral reefs"], "[Coral, reefs]"),
        ("Économie", ["economie"], "[Économie]"),
        ("中国古代文学史", ["古代", "文学"], "中国[古代][文学]史"),
        ("示例出版社", ["示例 出版社"], "[示例出版社]"),
        ("ﬁne art", ["fine"], "[ﬁne] art"),
        ("臺灣歷史", ["台湾"], "[臺灣]歷史"),
        ("Learning C++", ["c++"], "Learning [C++]"),
        ("हिन्दी कविता", ["हिन्दी"], "[हिन्दी] कविता"),
        ("한국 요리", ["한국"], "[한국] 요리"),
        ("a <b> & c", ["b"], "a &lt;[b]&gt; &amp; c"),
        ("coral_reef", ["reef"], "coral_[reef]"),
    ],
)
def test_terms_match_regardless_of_case_and_accents(text, terms, expected):
    assert highlighted_title(text, terms_for=terms) == expected


def test_terms_are_marked_only_in_their_own_field():
    assert highlighted_title("Star bread", terms_for=["star"], terms_against=["bread"]) == "[Star] (bread)"
    book = SimpleNamespace(**dict.fromkeys(FIELDS, "star"))
    html = highlight(book, evidence(terms_for=["star"], field="authors"))
    assert {field for field, text in html.items() if "<mark" in text} == {"authors"}


def test_text_without_evidence_is_only_escaped():
    book = SimpleNamespace(**dict.fromkeys(FIELDS, "<i>star</i>"))
    assert set(highlight(book, None).values()) == {"&lt;i&gt;star&lt;/i&gt;"}


@given(
    st.text(max_size=40), st.lists(st.text("ab é中文", min_size=1, max_size=4).filter(str.strip), max_size=4)
)
def test_highlighting_keeps_every_character(text, terms):
    plain = re.sub(r"</?mark[^>]*>", "", _html(text, terms))
    assert plain == _html(text, [])


def _html(text, terms):
    book = SimpleNamespace(**dict.fromkeys(FIELDS, "") | {"title": text})
    return highlight(book, evidence(terms_for=[term.strip() for term in terms]))["title"]
