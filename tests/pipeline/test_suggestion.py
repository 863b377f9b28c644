"""Probabilities of books that are known not to have some categories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.suggestion import gathered, without

CLASSES = ["a", "b", "c"]


def test_a_rejected_category_has_no_chance_and_the_others_share_its_part():
    given_ = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    found = without(given_, {"x": ["a", "gone"], "z": ["b"]}, ids=["x", "y"], classes=CLASSES)
    assert found == pytest.approx(np.array([[0, 0.6, 0.4], [0.5, 0.3, 0.2]]))
    assert given_[0, 0] == 0.5


def test_of_a_book_that_has_no_category_left_nothing_is_likely():
    assert without(np.array([[0.5, 0.3, 0.2]]), {"x": CLASSES}, ids=["x"], classes=CLASSES).tolist() == [
        [0, 0, 0]
    ]


@given(st.integers(0, 1000), st.sets(st.sampled_from(CLASSES), max_size=2))
def test_what_is_left_sums_to_one_and_keeps_its_order(seed, rejected):
    before = np.random.default_rng(seed).dirichlet(np.ones(3))[None]
    (after,) = without(before, {"x": sorted(rejected)}, ids=["x"], classes=CLASSES)
    assert after.sum() == pytest.approx(1)
    left = [number for number, name in enumerate(CLASSES) if name not in rejected]
    assert (
        np.argsort(after[left], kind="stable").tolist() == np.argsort(before[0][left], kind="stable").tolist()
    )


def test_classes_that_became_one_have_the_sum_where_the_likeliest_is():
    before = np.array([[0.4, 0.35, 0.25], [0.1, 0.3, 0.6]])
    after = gathered(before, {"a": "c"}, classes=CLASSES)
    assert after == pytest.approx(np.array([[0.65, 0.35, 0], [0, 0.3, 0.7]]))
    assert before[0, 0] == 0.4


def test_a_class_that_is_no_more_has_no_chance_and_leaves_none_to_the_others():
    after = gathered(np.array([[0.5, 0.3, 0.2]]), {"a": None, "gone": "b"}, classes=CLASSES)
    assert after == pytest.approx(np.array([[0, 0.3, 0.2]]))


@given(
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from(CLASSES), st.sampled_from(["a", "b", "x", None])),
)
def test_what_is_gathered_is_as_likely_as_before_but_for_what_is_no_more(seed, current):
    before = np.random.default_rng(seed).dirichlet(np.ones(3))[None]
    after = gathered(before, current, classes=CLASSES)
    gone = sum(before[0, i] for i, name in enumerate(CLASSES) if current.get(name, name) is None)
    assert after.sum() == pytest.approx(1 - gone)
    kept = {current.get(name, name) for name in CLASSES} - {None}
    assert np.count_nonzero(after) == len(kept)
