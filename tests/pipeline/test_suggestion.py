"""Probabilities under rejected and merged categories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.suggestion import exclude_rejected, merge_classes

CLASSES = ["a", "b", "c"]


def test_rejected_category_has_probability_0():
    given_ = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    result = exclude_rejected(given_, {"x": ["a", "gone"], "z": ["b"]}, ids=["x", "y"], classes=CLASSES)
    assert result == pytest.approx(np.array([[0, 0.6, 0.4], [0.5, 0.3, 0.2]]))
    assert given_[0, 0] == 0.5


def test_all_rejected_leaves_nothing():
    assert exclude_rejected(
        np.array([[0.5, 0.3, 0.2]]), {"x": CLASSES}, ids=["x"], classes=CLASSES
    ).tolist() == [[0, 0, 0]]


@given(st.integers(0, 1000), st.sets(st.sampled_from(CLASSES), max_size=2))
def test_remaining_probabilities_sum_to_one(seed, rejected):
    before = np.random.default_rng(seed).dirichlet(np.ones(3))[None]
    (after,) = exclude_rejected(before, {"x": sorted(rejected)}, ids=["x"], classes=CLASSES)
    assert after.sum() == pytest.approx(1)
    left = [number for number, name in enumerate(CLASSES) if name not in rejected]
    assert (
        np.argsort(after[left], kind="stable").tolist() == np.argsort(before[0][left], kind="stable").tolist()
    )


def test_merged_classes_sum_on_the_most_probable():
    before = np.array([[0.4, 0.35, 0.25], [0.1, 0.3, 0.6]])
    after = merge_classes(before, {"a": "c"}, classes=CLASSES)
    assert after == pytest.approx(np.array([[0.65, 0.35, 0], [0, 0.3, 0.7]]))
    assert before[0, 0] == 0.4


def test_retired_class_is_not_redistributed():
    after = merge_classes(np.array([[0.5, 0.3, 0.2]]), {"a": None, "gone": "b"}, classes=CLASSES)
    assert after == pytest.approx(np.array([[0, 0.3, 0.2]]))


@given(
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from(CLASSES), st.sampled_from(["a", "b", "x", None])),
)
def test_merging_keeps_the_total_probability(seed, current):
    before = np.random.default_rng(seed).dirichlet(np.ones(3))[None]
    after = merge_classes(before, current, classes=CLASSES)
    gone = sum(before[0, i] for i, name in enumerate(CLASSES) if current.get(name, name) is None)
    assert after.sum() == pytest.approx(1 - gone)
    kept = {current.get(name, name) for name in CLASSES} - {None}
    assert np.count_nonzero(after) == len(kept)
