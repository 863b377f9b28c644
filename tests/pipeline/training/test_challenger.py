"""Two versions judged on the books that neither has learned from, however the library has grown between."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.splits import held_out
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training.challenger import contest, fair_books, learned_from
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


def test_the_held_out_fifth_of_a_grown_library_is_fair_to_the_earlier_version(earlier, later, grown):
    assert set(earlier.held_out) < set(later.held_out)
    fair = fair_books(candidate=later, active=earlier, catalogue=grown)
    assert {book.id for book in fair} == set(later.held_out)
    known = {book.id for book in grown.books[:60] if book.category}
    assert learned_from(earlier) == known - set(earlier.held_out)
    assert learned_from(later).isdisjoint(later.held_out)


def test_what_was_learned_by_one_that_held_out_fewer_is_left_out(grown, later):
    greedy = train(grown, config=TINY.with_settings(["training.max_holdout=3"]), seed=1).model
    fair = fair_books(candidate=later, active=greedy, catalogue=grown)
    assert {book.id for book in fair} == set(greedy.held_out)
    assert len(fair) == 3
    found = contest(candidate=later, active=greedy, catalogue=grown)
    assert (found["books"], found["left_out"]) == (3, len(later.held_out) - 3)


def test_on_its_own_held_out_books_a_version_has_the_figures_it_was_trained_with(earlier, later, grown):
    found = contest(candidate=later, active=earlier, catalogue=grown)
    assert found["candidate"] == evaluate(later, grown)["fused"]
    for name in ("by_category", "by_language", "by_modalities"):
        assert sum(row["books"] for row in found[name]) == found["books"] == len(later.held_out)
        for who in ("candidate", "active"):
            right = sum(row[who] for row in found[name])
            assert right / found["books"] == pytest.approx(found[who]["accuracy"])
    assert {row["name"] for row in found["by_modalities"]} <= {"text", "loans", "text+loans", ""}


def test_a_category_that_the_active_version_has_never_heard_of_counts_against_it(earlier, later, grown):
    new = dataclasses.replace(earlier, classes=[*earlier.classes[:-1], "renamed"])
    found = contest(candidate=later, active=new, catalogue=grown)
    renamed = earlier.classes[-1]
    assert {row["name"]: row["active"] for row in found["by_category"]}[renamed] == 0


def test_without_a_fair_book_there_is_nothing_to_compare(later, grown):
    others = dataclasses.replace(
        grown, books=[book for book in grown.books if book.id not in set(later.held_out)]
    )
    with pytest.raises(NotEnoughData, match="no book that neither version has learned from"):
        contest(candidate=later, active=later, catalogue=others)


@given(
    before=st.sets(st.text(min_size=1, max_size=6), max_size=40),
    new=st.sets(st.text(min_size=1, max_size=6), max_size=40),
    at_most=st.integers(1, 40),
)
def test_the_keyed_split_costs_nothing_what_is_held_out_of_a_grown_library_was_never_learned(
    before, new, at_most
):
    # One key below the share and one above it, so that no book has to be moved for either side to have one.
    before |= {BELOW, ABOVE}
    now = before | new

    def out_of(ids):
        ids = sorted(ids)
        held = held_out(ids, share=0.2, at_most=at_most)
        return {book for book, out in zip(ids, held, strict=True) if out}

    assert out_of(now) & (before - out_of(before)) == set()


def test_the_two_keys_are_below_and_above_the_share():
    assert held_out([BELOW, ABOVE], share=0.2, at_most=9).tolist() == [True, False]
