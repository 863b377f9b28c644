"""The words of the evidence, marked where they stand in a book's own text."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.presentation.highlighting import FIELDS, marked


def mark(text, *, good=(), bad=()):
    """Return a title with what was marked in it in brackets: square for it, round against it."""
    record = SimpleNamespace(**dict.fromkeys(FIELDS, "") | {"title": text})
    terms = {
        "for": [["title", word, 0.5] for word in good],
        "against": [["title", word, -0.5] for word in bad],
    }
    said = marked(record, {"terms": terms})["title"]
    said = re.sub(r'<mark class="for"[^>]*>(.*?)</mark>', r"[\1]", said)
    return re.sub(r'<mark class="against"[^>]*>(.*?)</mark>', r"(\1)", said)


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("Coral Reefs", ["coral"], "[Coral] Reefs"),
        ("Corals and coral", ["coral"], "Corals and [coral]"),
        ("Coral, reefs", ["coral", "coral reefs"], "[Coral, reefs]"),
        ("Économie", ["economie"], "[Économie]"),
        ("中国古代文学史", ["古代", "文学"], "中国[古代][文学]史"),
        ("示例出版社", ["示例 出版社"], "[示例出版社]"),
        ("ﬁne art", ["fine"], "[ﬁne] art"),
        ("a <b> & c", ["b"], "a &lt;[b]&gt; &amp; c"),
        ("coral_reef", ["reef"], "coral_[reef]"),
    ],
)
def test_a_word_is_marked_whatever_its_case_and_accents(text, words, said):
    assert mark(text, good=words) == said


def test_words_for_and_against_are_told_apart_and_a_word_counts_in_its_own_field_alone():
    assert mark("Star bread", good=["star"], bad=["bread"]) == "[Star] (bread)"
    record = SimpleNamespace(**dict.fromkeys(FIELDS, "star"))
    said = marked(record, {"terms": {"for": [["authors", "star", 1.0]], "against": []}})
    assert {field for field, html in said.items() if "<mark" in html} == {"authors"}


def test_without_evidence_the_text_is_as_it_was():
    record = SimpleNamespace(**dict.fromkeys(FIELDS, "<i>star</i>"))
    assert set(marked(record, {}).values()) == {"&lt;i&gt;star&lt;/i&gt;"}


@given(
    st.text(max_size=40), st.lists(st.text("ab é中文", min_size=1, max_size=4).filter(str.strip), max_size=4)
)
def test_marking_changes_no_letter(text, words):
    plain = re.sub(r"</?mark[^>]*>", "", _html(text, words))
    assert plain == _html(text, [])


def _html(text, words):
    record = SimpleNamespace(**dict.fromkeys(FIELDS, "") | {"title": text})
    terms = {"for": [["title", word.strip(), 1.0] for word in words], "against": []}
    return marked(record, {"terms": terms})["title"]
