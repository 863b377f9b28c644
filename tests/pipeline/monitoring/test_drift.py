"""Drift detection."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.monitoring.drift import (
    MIN_BOOKS,
    ReviewOutcome,
    input_drift,
    population_stability,
    profile_catalogue,
    review_agreement,
    review_calibration,
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
    rows = input_drift(then=look(), new=look(200, **changed), whole=look(1200))
    return [row["what"] for row in rows if row["moved"]]


@given(counts, counts)
def test_stability_index_is_symmetric_and_not_negative(then, now):
    result = population_stability(then, now)
    assert result["index"] >= 0
    assert result["index"] == pytest.approx(population_stability(now, then)["index"])
    assert population_stability(then, then)["index"] == pytest.approx(0, abs=1e-12)


def test_stability_index_matches_the_formula():
    result = population_stability({"yes": 500_000, "no": 500_000}, {"yes": 800_000, "no": 200_000})
    # (0.5 - 0.8) ln(0.5 / 0.8) + (0.5 - 0.2) ln(0.5 / 0.2)
    assert result["index"] == pytest.approx(0.3 * np.log(4), abs=1e-4)
    assert result["chance"] == pytest.approx(6.635 * 2e-6, rel=1e-3)  # of chi-square


def test_chance_level_is_rarely_exceeded():
    rng = np.random.default_rng(0)
    share = np.array([0.6, 0.3, 0.1])
    over = 0
    for _ in range(500):
        then, now = (dict(zip("abc", rng.multinomial(n, share).tolist(), strict=True)) for n in (400, 150))
        result = population_stability(then, now)
        over += result["index"] > result["chance"]
    assert over <= 15  # 5 expected


def test_unchanged_data_has_no_drift():
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
def test_changed_part_is_the_only_one_moved(changed, what):
    assert moved(**changed) == [what]


def test_loans_are_compared_over_the_whole_catalogue():
    new = look(200, parts={"description": 200, "cover": 100, "audio": 0, "loans": 0})
    every = look(1200, parts={"description": 1200, "cover": 600, "audio": 0, "loans": 60})
    rows = input_drift(then=look(), new=new, whole=every)
    assert [row["what"] for row in rows if row["moved"]] == ["loans"]


def test_few_new_books_give_no_result():
    few = look(MIN_BOOKS - 1, languages={"fr": MIN_BOOKS - 1}, confidence=0.1)
    rows = input_drift(then=look(), new=few, whole=look(1049))
    assert [row["what"] for row in rows] == ["loans"]


def test_profile_counts_the_parts_of_books(trained, catalogue):
    books = [
        dataclasses.replace(book, language="en" if i % 3 else "zh") for i, book in enumerate(catalogue.books)
    ]
    books[0] = dataclasses.replace(books[0], title="zyxw vuts", description="", authors="", publisher="")
    result = profile_catalogue(
        dataclasses.replace(catalogue, books=books), model=trained.model, confidence=np.array([0.5, 1.0])
    )
    assert result["books"] == len(books)
    assert result["languages"] == {"en": 40, "zh": 20}
    assert result["parts"]["cover"] == sum(book.cover is not None for book in books)
    assert result["parts"]["audio"] == sum(book.audio is not None for book in books)
    assert result["confidence"] == 0.75
    strange = profile_catalogue(Catalogue(books=books[:1]), model=trained.model, confidence=np.empty(0))
    assert (strange["unknown_words"], strange["confidence"]) == (1.0, None)
    assert 0 <= result["unknown_words"] < 0.5
    empty = profile_catalogue(Catalogue(books=[]), model=trained.model, confidence=np.empty(0))
    assert (empty["books"], empty["unknown_words"]) == (0, None)


def test_unknown_words_are_detected(trained, tmp_path):
    similar = make_catalogue(tmp_path, books=30, seed=5, start=100, covers=False, audio=False)
    strange = [
        dataclasses.replace(book, title="qwrt psdf ghjk", description="zxcv bnml") for book in similar.books
    ]
    model, none = trained.model, np.empty(0)
    usual = profile_catalogue(similar, model=model, confidence=none)["unknown_words"]
    assert (
        profile_catalogue(Catalogue(books=strange), model=model, confidence=none)["unknown_words"]
        > usual + 0.3
    )


def reviews(n, right, sure):
    return [
        ReviewOutcome(suggested="a", chosen="a" if i < right else "b", probability=sure) for i in range(n)
    ]


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
def test_agreement_is_low_beyond_chance_only(n, right, low):
    result = review_agreement(reviews(n, right, 0.8))
    assert result == {
        "books": n,
        "agreed": pytest.approx(right / n),
        "promised": pytest.approx(0.8),
        "low": low,
    }


def test_low_confidence_rejections_are_expected():
    assert not review_agreement(reviews(200, 60, 0.3))["low"]


@pytest.mark.parametrize(("right", "off"), [(160, False), (195, True), (100, True)])
def test_calibration_is_off_in_both_directions(right, off):
    result = review_calibration(reviews(200, right, 0.8))
    assert (result["books"], result["off"]) == (200, off)
    assert result["error"] == pytest.approx(abs(right / 200 - 0.8))
    (only,) = result["bins"]
    assert (only["books"], only["accuracy"]) == (200, right / 200)
    assert only["confidence"] == pytest.approx(0.8)


def test_no_reviews_give_no_result():
    assert review_agreement([]) == {"books": 0, "agreed": None, "promised": None, "low": False}
    assert not review_calibration([])["off"]
