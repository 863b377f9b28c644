"""Challenger against champion on common held-out books."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.splits import select_held_out
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training.challenger import (
    books_unseen_by_both,
    compare_challenger,
    training_book_ids,
)
from classifier.pipeline.training.train import evaluate, train
from tests.pipeline.catalogues import TINY, make_catalogue

BELOW, ABOVE = "below 26", "learned"  # by their hashes, 0.05 at most and 0.84


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("more"), books=90, covers=False, audio=False)


@pytest.fixture(scope="module")
def earlier(grown):
    small = dataclasses.replace(grown, books=grown.books[:60])
    return train(small, config=TINY, seed=1).model


@pytest.fixture(scope="module")
def later(grown):
    return train(grown, config=TINY, seed=2).model


def test_holdout_of_a_grown_library_is_fair_to_the_champion(earlier, later, grown):
    assert set(earlier.held_out) < set(later.held_out)
    fair = books_unseen_by_both(challenger=later, champion=earlier, catalogue=grown)
    assert {book.id for book in fair} == set(later.held_out)
    known = {book.id for book in grown.books[:60] if book.category}
    assert training_book_ids(earlier) == known - set(earlier.held_out)
    assert training_book_ids(later).isdisjoint(later.held_out)


def test_books_learned_by_the_champion_are_excluded(grown, later):
    greedy = train(grown, config=TINY.with_settings(["training.max_holdout=3"]), seed=1).model
    fair = books_unseen_by_both(challenger=later, champion=greedy, catalogue=grown)
    assert {book.id for book in fair} == set(greedy.held_out)
    assert len(fair) == 3
    result = compare_challenger(challenger=later, champion=greedy, catalogue=grown)
    assert (result["books"], result["excluded_books"]) == (3, len(later.held_out) - 3)


def test_own_holdout_reproduces_the_training_metrics(earlier, later, grown):
    result = compare_challenger(challenger=later, champion=earlier, catalogue=grown)
    assert result["candidate"] == evaluate(later, grown)["fused"]
    for name in ("by_category", "by_language", "by_modalities"):
        assert sum(row["books"] for row in result[name]) == result["books"] == len(later.held_out)
        for who in ("candidate", "active"):
            right = sum(row[who] for row in result[name])
            assert right / result["books"] == pytest.approx(result[who]["accuracy"])
    assert {row["name"] for row in result["by_modalities"]} <= {"text", "loans", "text+loans", ""}


def test_unknown_category_counts_against_the_champion(earlier, later, grown):
    new = dataclasses.replace(earlier, classes=[*earlier.classes[:-1], "renamed"])
    result = compare_challenger(challenger=later, champion=new, catalogue=grown)
    renamed = earlier.classes[-1]
    assert {row["name"]: row["active"] for row in result["by_category"]}[renamed] == 0


def test_no_common_holdout_is_an_error(later, grown):
    others = dataclasses.replace(
        grown, books=[book for book in grown.books if book.id not in set(later.held_out)]
    )
    with pytest.raises(NotEnoughData, match="no book that neither version has learned from"):
        compare_challenger(challenger=later, champion=later, catalogue=others)


@given(
    before=st.sets(st.text(min_size=1, max_size=6), max_size=40),
    new=st.sets(st.text(min_size=1, max_size=6), max_size=40),
    max_books=st.integers(1, 40),
)
def test_grown_library_keeps_its_holdout(before, new, max_books):
    # One key below the share and one above it, so that no book has to be moved for either side to have one.
    before |= {BELOW, ABOVE}
    now = before | new

    def out_of(ids):
        ids = sorted(ids)
        held = select_held_out(ids, share=0.2, max_books=max_books)
        return {book for book, out in zip(ids, held, strict=True) if out}

    assert out_of(now) & (before - out_of(before)) == set()


def test_test_keys_are_on_both_sides_of_the_share():
    assert select_held_out([BELOW, ABOVE], share=0.2, max_books=9).tolist() == [True, False]
