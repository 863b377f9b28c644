"""Normalisation, words and character n-grams."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.text.normalization import normalize
from classifier.pipeline.text.stopwords import LANGUAGES, STOP_WORDS, stop_words
from classifier.pipeline.text.tokenization import char_ngrams, tokenize


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Économie ET Droit", "economie et droit"),
        ("a<br/>b <i class='x'>c</i>", "a b  c "),
        ("salt &amp; pepper &lt;b&gt;now", "salt & pepper  now"),
        ("ＡＢＣ１２３ ﬁn", "abc123 fin"),
        ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
        ("Ä" + "o\u0308", "ao"),
        ("I\ufe20A\ufe21khina", "iakhina"),
        ("İstanbul ℡", "istanbul tel"),
        ("图书馆", "图书馆"),
        ("圖書館的歷史", "图书馆的历史"),
        ("Volks\u00adwirt\u200dschaft", "volkswirtschaft"),
        ("葛\U000e0100", "葛"),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C, C++ and C#", ["c", "c++", "c#"]),
        ("Ｃ＋＋ / Ｃ＃", ["c++", "c#"]),
        ("学习C++语言程序设计", ["学习", "c++", "语言", "程序设计"]),
        ("C++11, C#10", ["c++", "11", "c#", "10"]),
        ("F# in .NET", ["f#", ".net"]),
        ("精通.NET编程", ["精通", ".net", "编程"]),
        ("ASP.NET", ["asp", "net"]),
        ("The end...then.Next", ["end", "next"]),
        ("sugar+spice, 1+1", ["sugar", "spice", "1", "1"]),
        ("3D打印", ["3d", "打印"]),
        ("5G时代", ["5g", "时代"]),
        ("５Ｇ時代", ["5g", "时代"]),
        ("हिन्दी साहित्य", ["हिन्दी", "साहित्य"]),
        ("ภาษาไทย", ["ภาษาไทย"]),
        ("كِتَابٌ جديد", ["كِتَابٌ", "جديد"]),
        ("俄语книга语法", ["俄语", "книга", "语法"]),
        ("한국史", ["한국", "史"]),
        ("Der Krieg und le pain", ["krieg", "pain"]),
        ("War and man", ["war", "man"]),
    ],
)
def test_words_keep_their_meaning(text, words):
    assert tokenize(normalize(text)) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_words_are_normalised(language):
    assert stop_words(language)
    assert {word for word in stop_words(language) if normalize(word) != word} == set()


@given(st.text(alphabet="中国c#+.3é ि\u064e의_\n"))
def test_words_have_no_spaces(text):
    assert all(word.split() == [word] for word in tokenize(normalize(text)))


@pytest.mark.parametrize("piece", ["a", "a+", "a+#", ".", ".a", "क्", "中a", "中क्", "<", "&lt;"])
def test_long_text_is_split_in_linear_time(piece):
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    tokenize(normalize(text + "中a+"))
    assert time.process_time() - start < 5


def test_ngrams_mark_the_ends():
    assert char_ngrams("ab", min_n=3, max_n=5) == ["<ab", "ab>", "<ab>"]
    assert char_ngrams("a", min_n=5, max_n=5) == []


def test_chinese_ngrams_are_characters_and_bigrams():
    assert char_ngrams("图书馆", min_n=3, max_n=5) == ["图", "书", "馆", "图书", "书馆"]
