"""Tokens: cleaning, words and character n-grams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.text.stopwords import STOP_WORDS
from classifier.pipeline.text.tokenization import clean, grams, words


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Économie ET Droit", "economie et droit"),
        ("a<br/>b <i class='x'>c</i>", "a b  c "),
        ("salt &amp; pepper &lt;b&gt;now", "salt & pepper  now"),
        ("ＡＢＣ１２３ ﬁn", "abc123 fin"),
        ("2 < 3 and 5 > 4", "2   4"),  # no tag, but tags cannot be told from it
        ("Ä" + "o\u0308", "ao"),
        ("I\ufe20A\ufe21khina", "iakhina"),
        ("İstanbul ℡", "istanbul tel"),
        ("图书馆", "图书馆"),
        ("한국어", "한국어"),
        ("", ""),
    ],
)
def test_cleaned_text_has_one_spelling_and_no_mark_up(raw, cleaned):
    assert clean(raw) == cleaned


def test_a_bracket_that_closes_too_late_is_no_tag():
    assert clean("<" + "x" * 201 + ">") == "<" + "x" * 201 + ">"


@given(st.text())
def test_words_are_lower_case_and_none_is_a_stop_word(text):
    for word in words(clean(text)):
        assert word == word.lower()
        assert word
        assert word not in STOP_WORDS


def test_chinese_is_cut_into_words_and_both_languages_lose_their_stop_words():
    assert words(clean("The History of the Roman Empire")) == ["history", "roman", "empire"]
    assert words(clean("中国历史的研究")) == ["中国", "历史", "研究"]
    assert words(clean("学习Python编程")) == ["学习", "python", "编程"]
    assert words("a_b c1d-e2") == ["b", "c1d", "e2"]


def test_grams_mark_the_ends_of_a_word():
    assert grams("ab", smallest=3, largest=5) == ["<ab", "ab>", "<ab>"]
    assert grams("a", smallest=5, largest=5) == []


def test_grams_of_a_chinese_word_are_its_characters_and_bigrams():
    assert grams("图书馆", smallest=3, largest=5) == ["图", "书", "馆", "图书", "书馆"]
