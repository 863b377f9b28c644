"""Normalisation, words and character n-grams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.text.stopwords import STOP_WORDS
from classifier.pipeline.text.tokenization import char_ngrams, normalize, tokenize


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Économie ET Droit", "economie et droit"),
        ("a<br/>b <i class='x'>c</i>", "a b  c "),
        ("salt &amp; pepper &lt;b&gt;now", "salt & pepper  now"),
        ("ＡＢＣ１２３ ﬁn", "abc123 fin"),
        ("2 < 3 and 5 > 4", "2   4"),  # not a tag, but it looks like one
        ("Ä" + "o\u0308", "ao"),
        ("I\ufe20A\ufe21khina", "iakhina"),
        ("İstanbul ℡", "istanbul tel"),
        ("图书馆", "图书馆"),
        ("한국어", "한국어"),
        ("", ""),
    ],
)
def test_normalised_text_has_no_markup(raw, cleaned):
    assert normalize(raw) == cleaned


def test_late_bracket_is_not_a_tag():
    assert normalize("<" + "x" * 201 + ">") == "<" + "x" * 201 + ">"


@given(st.text())
def test_words_are_lower_case_without_stop_words(text):
    for word in tokenize(normalize(text)):
        assert word == word.lower()
        assert word
        assert word not in STOP_WORDS


def test_chinese_is_segmented_without_stop_words():
    assert tokenize(normalize("The History of the Roman Empire")) == ["history", "roman", "empire"]
    assert tokenize(normalize("中国历史的研究")) == ["中国", "历史", "研究"]
    assert tokenize(normalize("学习Python编程")) == ["学习", "python", "编程"]
    assert tokenize("a_b c1d-e2") == ["b", "c1d", "e2"]


def test_ngrams_mark_the_ends():
    assert char_ngrams("ab", min_n=3, max_n=5) == ["<ab", "ab>", "<ab>"]
    assert char_ngrams("a", min_n=5, max_n=5) == []


def test_chinese_ngrams_are_characters_and_bigrams():
    assert char_ngrams("图书馆", min_n=3, max_n=5) == ["图", "书", "馆", "图书", "书馆"]
