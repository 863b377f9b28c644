"""Probabilities of books that are known not to have some categories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.suggestion import without

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
