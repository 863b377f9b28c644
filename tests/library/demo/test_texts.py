"""Demo descriptions: full sentences in the language of the book, with little repetition."""

import random
import re
from collections import Counter

import pytest

from library.demo.books import generate_books
from library.demo.texts import expand
from library.demo.vocabulary import OWN, SHARED

LANGUAGES = ("en", "zh")


@pytest.fixture(scope="module")
def books():
    return generate_books(
        rng=random.Random(3), titles=1_000, latest_year=2023, progress=lambda phase, done, total: None
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_referenced_symbol_has_options(language):
    for grammar in OWN[language].values():
        merged = SHARED[language] | grammar | {"theme": grammar["topic"]}
        named = {
            symbol
            for options in merged.values()
            for option in options
            for symbol in re.findall(r"\{(.*?)\}", option)
        }
        assert named <= set(merged)


@pytest.mark.parametrize("language", LANGUAGES)
def test_symbols_have_no_duplicate_phrases(language):
    for grammar in (SHARED[language], *OWN[language].values()):
        for symbol, options in grammar.items():
            assert [option for option, times in Counter(options).items() if times > 1] == [], symbol


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_ends_with_a_full_stop(language):
    for grammar in (SHARED[language], *OWN[language].values()):
        assert all(sentence[-1] == {"en": ".", "zh": "。"}[language] for sentence in grammar["sentence"])


def test_thousand_books_have_unique_texts(books):
    described = [book.description for book in books if book.description]
    assert len({book.title for book in books}) == 1_000
    assert 840 < len(described) < 920
    assert len(set(described)) == len(described)


def test_no_sentence_is_too_common(books):
    sentences = Counter(
        sentence
        for book in books
        for sentence in set(re.split(r"(?<=[.?。？])\s*", book.description))
        if sentence
    )
    assert max(sentences.values()) <= 50


def test_texts_do_not_mix_scripts(books):
    for book in books:
        text = book.title + book.subtitle + book.description + book.authors + book.publisher
        assert not re.search("[A-Za-z]" if book.language == "zh" else "[\u3000-\u9fff\uff00-\uffef]", text), (
            text
        )


def test_english_has_correct_articles_and_capitals(books):
    for book in books:
        if book.language == "en":
            text = f"{book.title} {book.description}"
            assert not re.search(r"\b[Aa] [aeiou]", text), text
            assert not re.search(r"(^|[.?] )[a-z]", text), text


def test_category_shares_are_exact(books):
    counts = Counter(book.category for book in books)
    assert counts["LIT.NOV"] == 150
    assert counts["TEC.COM"] == 120
    assert counts["LIT.POE"] == 80
    assert sum(counts.values()) == 1_000


def test_options_are_not_repeated_early():
    grammar = {"pair": ("{one} {one} {one}",), "one": ("a", "b", "c")}
    for seed in range(20):
        text = expand(rng=random.Random(seed), grammar=grammar, symbol="pair", used=set())
        assert sorted(text.split()) == ["a", "b", "c"]
