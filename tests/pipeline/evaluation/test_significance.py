"""McNemar's test and comparisons by group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.evaluation.significance import correct_by_group, lost_categories, mcnemar

answers = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40
)


def sure(classes):
    return np.eye(3)[np.array(classes)]


def test_mcnemar_counts_discordant_books():
    truth = np.array([0, 1, 2, 0, 1, 2, 0])
    one = sure([0, 1, 2, 0, 0, 2, 1])
    other = sure([1, 0, 0, 1, 1, 2, 1])
    # By hand: 4 of 5 for the one; both tails of a fair coin: 2 * (5 + 1) / 32.
    assert mcnemar(one, other, truth=truth) == {"won": 4, "lost": 1, "p_value": pytest.approx(0.375)}


def test_equal_classifiers_have_p_value_1():
    same = sure([0, 1, 2])
    assert mcnemar(same, same, truth=np.array([0, 0, 2])) == {"won": 0, "lost": 0, "p_value": 1.0}


@given(answers)
def test_mcnemar_is_symmetric(drawn):
    truth, one, other = map(np.array, zip(*drawn, strict=True))
    present = mcnemar(sure(one), sure(other), truth=truth)
    back = mcnemar(sure(other), sure(one), truth=truth)
    assert (present["won"], present["lost"], present["p_value"]) == (
        back["lost"],
        back["won"],
        back["p_value"],
    )
    assert (present["won"] - present["lost"]) == np.sum(one == truth) - np.sum(other == truth)


def test_groups_count_correct_books_largest_first():
    truth = np.array([0, 1, 2, 0])
    rows = correct_by_group(
        sure([0, 1, 0, 0]), sure([1, 1, 2, 1]), truth=truth, groups=["en", "zh", "zh", "zh"]
    )
    assert rows == [
        {"name": "zh", "books": 3, "candidate": 2, "active": 2},
        {"name": "en", "books": 1, "candidate": 1, "active": 0},
    ]


def test_lost_category_is_never_predicted_by_the_candidate():
    truth = np.array([0, 1, 1, 2])
    before = sure([2, 1, 0, 2])  # 0 is only ever said by mistake
    names = ["a", "b", "c"]
    assert lost_categories(sure([1, 1, 1, 1]), before, truth=truth, classes=names) == ["c"]
    assert lost_categories(sure([2, 2, 2, 1]), before, truth=truth, classes=names) == []
    assert lost_categories(before, before, truth=truth, classes=names) == []
