"""Drift is told from chance, and what is too little to tell is not told."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.monitoring.drift import (
    MIN_BOOKS,
    Reviewed,
    agreement,
    calibration,
    input_drift,
    profile,
    stability,
)
from classifier.pipeline.records import Catalogue
from tests.pipeline.catalogues import make_catalogue

counts = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 500), min_size=1)


def look(books=1000, **changed):
    usual = {
        "books": books,
        "parts": {"description": books, "cover": books // 2, "audio": 0, "loans": books // 2},
        "languages": {"en": books},
        "unknown_words": 0.2,
        "confidence": 0.8,
    }
    return usual | changed


def moved(**changed):
    rows = input_drift(then=look(), new=look(200, **changed), every=look(1200))
    return [row["what"] for row in rows if row["moved"]]


@given(counts, counts)
def test_the_index_is_never_negative_symmetric_up_to_smoothing_and_zero_for_the_same(then, now):
    found = stability(then, now)
    assert found["index"] >= 0
    assert found["index"] == pytest.approx(stability(now, then)["index"])
    assert stability(then, then)["index"] == pytest.approx(0, abs=1e-12)


def test_the_index_of_two_shares_is_what_the_formula_gives():
    found = stability({"yes": 500_000, "no": 500_000}, {"yes": 800_000, "no": 200_000})
    # (0.5 - 0.8) ln(0.5 / 0.8) + (0.5 - 0.2) ln(0.5 / 0.2)
    assert found["index"] == pytest.approx(0.3 * np.log(4), abs=1e-4)
    assert found["chance"] == pytest.approx(6.635 * 2e-6, rel=1e-3)  # of chi-square


def test_chance_alone_seldom_exceeds_what_chance_is_said_to_bring():
    rng = np.random.default_rng(0)
    share = np.array([0.6, 0.3, 0.1])
    over = 0
    for _ in range(500):
        then, now = (dict(zip("abc", rng.multinomial(n, share).tolist(), strict=True)) for n in (400, 150))
        found = stability(then, now)
        over += found["index"] > found["chance"]
    assert over <= 15  # 5 expected


def test_nothing_has_moved_where_nothing_has_changed():
    assert moved() == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"parts": {"description": 200, "cover": 10, "audio": 0, "loans": 0}}, "cover"),
        ({"parts": {"description": 100, "cover": 100, "audio": 0, "loans": 0}}, "description"),
        ({"languages": {"en": 100, "fr": 100}}, "languages"),
        ({"unknown_words": 0.31}, "unknown_words"),
        ({"confidence": 0.69}, "confidence"),
    ],
)
def test_what_has_moved_is_named_and_nothing_else(changed, what):
    assert moved(**changed) == [what]


def test_a_new_book_need_not_have_been_lent_but_a_library_must_go_on_lending():
    new = look(200, parts={"description": 200, "cover": 100, "audio": 0, "loans": 0})
    every = look(1200, parts={"description": 1200, "cover": 600, "audio": 0, "loans": 60})
    rows = input_drift(then=look(), new=new, every=every)
    assert [row["what"] for row in rows if row["moved"]] == ["loans"]


def test_of_a_handful_of_new_books_nothing_is_said():
    few = look(MIN_BOOKS - 1, languages={"fr": MIN_BOOKS - 1}, confidence=0.1)
    rows = input_drift(then=look(), new=few, every=look(1049))
    assert [row["what"] for row in rows] == ["loans"]


def test_a_profile_counts_what_books_have(trained, catalogue):
    books = [
        dataclasses.replace(book, language="en" if i % 3 else "zh") for i, book in enumerate(catalogue.books)
    ]
    books[0] = dataclasses.replace(books[0], title="zyxw vuts", description="", authors="", publisher="")
    found = profile(
        dataclasses.replace(catalogue, books=books), model=trained.model, confidence=np.array([0.5, 1.0])
    )
    assert found["books"] == len(books)
    assert found["languages"] == {"en": 40, "zh": 20}
    assert found["parts"]["cover"] == sum(book.cover is not None for book in books)
    assert found["parts"]["audio"] == sum(book.audio is not None for book in books)
    assert found["confidence"] == 0.75
    strange = profile(Catalogue(books=books[:1]), model=trained.model, confidence=np.empty(0))
    assert (strange["unknown_words"], strange["confidence"]) == (1.0, None)
    assert 0 <= found["unknown_words"] < 0.5
    empty = profile(Catalogue(books=[]), model=trained.model, confidence=np.empty(0))
    assert (empty["books"], empty["unknown_words"]) == (0, None)


def test_books_of_other_words_are_seen_as_such(trained, tmp_path):
    alike = make_catalogue(tmp_path, books=30, seed=5, start=100, covers=False, audio=False)
    strange = [
        dataclasses.replace(book, title="qwrt psdf ghjk", description="zxcv bnml") for book in alike.books
    ]
    model, none = trained.model, np.empty(0)
    usual = profile(alike, model=model, confidence=none)["unknown_words"]
    assert profile(Catalogue(books=strange), model=model, confidence=none)["unknown_words"] > usual + 0.3


def reviews(n, right, sure):
    return [Reviewed(suggested="a", chosen="a" if i < right else "b", probability=sure) for i in range(n)]


@pytest.mark.parametrize(
    ("n", "right", "low"),
    [
        (100, 80, False),
        (100, 72, False),  # within chance
        (100, 60, True),
        (MIN_BOOKS - 1, 0, False),  # too few to tell
        (10_000, 7_600, False),  # more than chance, but too little to matter
    ],
)
def test_reviewers_disagree_where_they_do_so_more_than_promised_by_more_than_chance(n, right, low):
    found = agreement(reviews(n, right, 0.8))
    assert found == {
        "books": n,
        "agreed": pytest.approx(right / n),
        "promised": pytest.approx(0.8),
        "low": low,
    }


def test_unsure_suggestions_that_are_often_refused_are_no_disagreement():
    assert not agreement(reviews(200, 60, 0.3))["low"]


@pytest.mark.parametrize(("right", "off"), [(160, False), (195, True), (100, True)])
def test_calibration_is_off_both_ways(right, off):
    found = calibration(reviews(200, right, 0.8))
    assert (found["books"], found["off"]) == (200, off)
    assert found["error"] == pytest.approx(abs(right / 200 - 0.8))
    (only,) = found["bins"]
    assert (only["books"], only["accuracy"]) == (200, right / 200)
    assert only["confidence"] == pytest.approx(0.8)


def test_without_reviews_nothing_is_claimed():
    assert agreement([]) == {"books": 0, "agreed": None, "promised": None, "low": False}
    assert not calibration([])["off"]
