"""Metrics before and after category changes, and separability of child categories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from classifier.pipeline.taxonomy.relabelling import (
    MIN_BOOKS,
    assign_children,
    child_separability,
    examples_needed,
    relabelled_metrics,
    split_metrics,
)

CLASSES = ["a", "b", "c"]
#: 20 books of a, half of them predicted as b; 20 of b, all correct; 10 of c, all predicted as a.
CELLS = [[0, 0, 10], [0, 1, 10], [1, 1, 20], [2, 0, 10]]


def test_merged_confusions_are_correct():
    result = relabelled_metrics(CELLS, CLASSES, now={}, then={"a": "b"})
    # F1 of a: 20 of 40, of b: 40 of 50, of c: none.
    assert result["now"] == {"books": 50, "accuracy": 0.6, "macro_f1": pytest.approx((0.5 + 0.8) / 3)}
    assert (result["then"]["accuracy"], result["then"]["books"]) == (0.8, 50)
    assert result["about"] == {"books": 40, "now": 0.75, "then": 1.0}


def test_retired_category_loses_books_and_predictions():
    result = relabelled_metrics(CELLS, CLASSES, now={}, then={"a": None})
    assert (result["then"]["books"], result["then"]["accuracy"]) == (30, pytest.approx(20 / 30))
    assert result["about"]["books"] == 20


def test_few_books_give_no_share():
    result = relabelled_metrics([[0, 0, 3], [1, 1, 30]], CLASSES, now={}, then={"a": "c"})
    assert result["about"] == {"books": 3, "now": None, "then": None}
    result = relabelled_metrics([[0, 0, MIN_BOOKS - 1]], CLASSES, now={}, then={})
    assert result["now"] == {"books": MIN_BOOKS - 1, "accuracy": None, "macro_f1": None}


cells = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 30)), unique_by=lambda cell: cell[:2]
).filter(lambda rows: sum(n for *_, n in rows) >= MIN_BOOKS)


@given(cells)
def test_metrics_equal_scikit_learn(rows):
    truth = np.repeat([right for right, _, _ in rows], [n for *_, n in rows])
    guess = np.repeat([guess for _, guess, _ in rows], [n for *_, n in rows])
    result = relabelled_metrics(rows, CLASSES, now={}, then={})["now"]
    assert result["accuracy"] == pytest.approx(np.mean(truth == guess))
    assert result["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0))


@given(cells)
def test_merging_never_lowers_accuracy(rows):
    result = relabelled_metrics(rows, CLASSES, now={}, then={"a": "b"})
    assert result["then"]["books"] == result["now"]["books"]
    assert result["then"]["accuracy"] >= result["now"]["accuracy"] - 1e-12


def test_split_costs_what_is_not_separable():
    result = split_metrics(CELLS, CLASSES, now={}, category="b", share=0.5)
    assert result["about"] == {"books": 20, "now": 1.0, "then": 0.5}
    assert result["then"] == {"books": 50, "accuracy": pytest.approx(0.6 - 10 / 50), "macro_f1": None}
    unknown = split_metrics(CELLS, CLASSES, now={}, category="b", share=None)
    assert unknown["then"]["accuracy"] is None
    # Those merged into it before count as its own.
    assert split_metrics(CELLS, CLASSES, now={"a": "b"}, category="b", share=1)["about"]["now"] == 1.0


SOUPS = [f"Soups of spring and {word}" for word in ("leek", "carrot", "pea", "onion", "bean")]
STARS = [f"恒星与行星 {word}" for word in ("彗星", "星云", "月亮", "银河", "太阳")]


def test_nearest_texts_assign_children():
    reported = [0, 0, -1, -1, -1, 1, 1, -1, -1, -1]
    assert assign_children(SOUPS + STARS, reported) == [0] * 5 + [1] * 5


def test_dissimilar_text_is_undecided():
    assert assign_children([*SOUPS, "xyzzy", ""], [0, 0, 1, -1, -1, -1, -1])[-2:] == [-1, -1]


def test_labels_are_kept_and_needed():
    assert assign_children(SOUPS, [1, 0, 1, 0, 1]) == [1, 0, 1, 0, 1]
    assert assign_children(SOUPS, [-1] * 5) == [-1] * 5


def test_distinct_children_are_separable():
    texts, child = (SOUPS + STARS) * 3, ([0] * 5 + [1] * 5) * 3
    result = child_separability(texts, child)
    assert (result["books"], result["share"]) == (30, 1.0)
    assert [examples for examples, _share in result["curve"]] == [1, 2, 4]
    mixed = child_separability([f"{number:03} {number * 7 % 11} words" for number in range(40)], [0, 1] * 20)
    assert mixed["share"] < 0.75


@pytest.mark.parametrize(("texts", "child"), [([], []), (SOUPS, [0] * 5), (SOUPS * 5, [0] * 25)])
def test_small_input_gives_no_result(texts, child):
    assert child_separability(texts, child) == {"books": len(child), "share": None, "curve": []}


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
def test_needed_examples_follow_the_curve(curve, target, needed):
    assert examples_needed(curve, target=target) == needed
