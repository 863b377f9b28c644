"""Figures of a model before and after a change of the classification scheme; books told apart by texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from classifier.pipeline.taxonomy.relabelling import (
    ENOUGH,
    examples_needed,
    narrowed,
    nearest_children,
    relabelled,
    told_apart,
)

CLASSES = ["a", "b", "c"]
#: 20 books of a, half of them taken for b; 20 of b, all right; 10 of c, all taken for a.
CELLS = [[0, 0, 10], [0, 1, 10], [1, 1, 20], [2, 0, 10]]


def test_what_was_taken_for_the_other_is_right_when_both_are_one():
    found = relabelled(CELLS, CLASSES, now={}, then={"a": "b"})
    # F1 of a: 20 of 40, of b: 40 of 50, of c: none.
    assert found["now"] == {"books": 50, "accuracy": 0.6, "macro_f1": pytest.approx((0.5 + 0.8) / 3)}
    assert (found["then"]["accuracy"], found["then"]["books"]) == (0.8, 50)
    assert found["about"] == {"books": 40, "now": 0.75, "then": 1.0}


def test_books_of_a_retired_category_are_judged_no_more_and_its_answers_are_wrong():
    found = relabelled(CELLS, CLASSES, now={}, then={"a": None})
    assert (found["then"]["books"], found["then"]["accuracy"]) == (30, pytest.approx(20 / 30))
    assert found["about"]["books"] == 20


def test_of_too_few_books_no_share_is_told():
    found = relabelled([[0, 0, 3], [1, 1, 30]], CLASSES, now={}, then={"a": "c"})
    assert found["about"] == {"books": 3, "now": None, "then": None}
    found = relabelled([[0, 0, ENOUGH - 1]], CLASSES, now={}, then={})
    assert found["now"] == {"books": ENOUGH - 1, "accuracy": None, "macro_f1": None}


cells = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 30)), unique_by=lambda cell: cell[:2]
).filter(lambda rows: sum(n for *_, n in rows) >= ENOUGH)


@given(cells)
def test_figures_are_those_of_scikit_learn(rows):
    truth = np.repeat([right for right, _, _ in rows], [n for *_, n in rows])
    guess = np.repeat([guess for _, guess, _ in rows], [n for *_, n in rows])
    found = relabelled(rows, CLASSES, now={}, then={})["now"]
    assert found["accuracy"] == pytest.approx(np.mean(truth == guess))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0))


@given(cells)
def test_no_merge_makes_fewer_answers_right(rows):
    found = relabelled(rows, CLASSES, now={}, then={"a": "b"})
    assert found["then"]["books"] == found["now"]["books"]
    assert found["then"]["accuracy"] >= found["now"]["accuracy"] - 1e-12


def test_a_split_costs_what_is_not_told_apart():
    found = narrowed(CELLS, CLASSES, now={}, category="b", share=0.5)
    assert found["about"] == {"books": 20, "now": 1.0, "then": 0.5}
    assert found["then"] == {"books": 50, "accuracy": pytest.approx(0.6 - 10 / 50), "macro_f1": None}
    unknown = narrowed(CELLS, CLASSES, now={}, category="b", share=None)
    assert unknown["then"]["accuracy"] is None
    # Those merged into it before count as its own.
    assert narrowed(CELLS, CLASSES, now={"a": "b"}, category="b", share=1)["about"]["now"] == 1.0


SOUPS = [f"Soups of spring and {word}" for word in ("leek", "carrot", "pea", "onion", "bean")]
STARS = [f"恒星与行星 {word}" for word in ("彗星", "星云", "月亮", "银河", "太阳")]


def test_texts_go_with_those_most_alike_in_either_language():
    told = [0, 0, -1, -1, -1, 1, 1, -1, -1, -1]
    assert nearest_children(SOUPS + STARS, told) == [0] * 5 + [1] * 5


def test_a_text_like_none_of_the_examples_is_left_undecided():
    assert nearest_children([*SOUPS, "xyzzy", ""], [0, 0, 1, -1, -1, -1, -1])[-2:] == [-1, -1]


def test_what_is_told_stays_and_without_examples_nothing_is_found():
    assert nearest_children(SOUPS, [1, 0, 1, 0, 1]) == [1, 0, 1, 0, 1]
    assert nearest_children(SOUPS, [-1] * 5) == [-1] * 5


def test_children_with_words_of_their_own_are_told_apart_and_random_ones_are_not():
    texts, child = (SOUPS + STARS) * 3, ([0] * 5 + [1] * 5) * 3
    found = told_apart(texts, child)
    assert (found["books"], found["share"]) == (30, 1.0)
    assert [examples for examples, _share in found["curve"]] == [1, 2, 4]
    mixed = told_apart([f"{number:03} {number * 7 % 11} words" for number in range(40)], [0, 1] * 20)
    assert mixed["share"] < 0.75


@pytest.mark.parametrize(("texts", "child"), [([], []), (SOUPS, [0] * 5), (SOUPS * 5, [0] * 25)])
def test_too_few_books_or_children_tell_nothing(texts, child):
    assert told_apart(texts, child) == {"books": len(child), "share": None, "curve": []}


@pytest.mark.parametrize(
    ("curve", "target", "needed"),
    [
        ([[1, 0.5], [2, 0.75], [4, 0.875]], 0.75, 2),
        # Half as many wrong for twice as many examples.
        ([[1, 0.5], [2, 0.75], [4, 0.875]], 0.96, 13),
        ([[1, 0.5], [2, 0.5]], 0.9, None),
        ([[1, 0.5], [2, 0.501]], 0.9, None),
        ([[1, 0.5]], 0.9, None),
        ([], 0.9, None),
        ([[1, 0.5], [2, 0.9]], 1.0, None),
    ],
)
def test_examples_needed_follow_the_curve_and_are_not_told_without_one(curve, target, needed):
    assert examples_needed(curve, target=target) == needed
