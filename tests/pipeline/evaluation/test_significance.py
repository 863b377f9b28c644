"""McNemar's test: who is right where the other is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.evaluation.significance import by_group, lost_categories, mcnemar

answers = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40
)


def sure(classes):
    return np.eye(3)[np.array(classes)]


def test_books_that_only_one_gets_right_are_counted():
    truth = np.array([0, 1, 2, 0, 1, 2, 0])
    one = sure([0, 1, 2, 0, 0, 2, 1])
    other = sure([1, 0, 0, 1, 1, 2, 1])
    # By hand: 4 of 5 for the one; both tails of a fair coin: 2 * (5 + 1) / 32.
    assert mcnemar(one, other, truth=truth) == {"won": 4, "lost": 1, "p_value": pytest.approx(0.375)}


def test_two_that_answer_alike_are_level():
    same = sure([0, 1, 2])
    assert mcnemar(same, same, truth=np.array([0, 0, 2])) == {"won": 0, "lost": 0, "p_value": 1.0}


@given(answers)
def test_turned_round_it_says_the_same(drawn):
    truth, one, other = map(np.array, zip(*drawn, strict=True))
    there = mcnemar(sure(one), sure(other), truth=truth)
    back = mcnemar(sure(other), sure(one), truth=truth)
    assert (there["won"], there["lost"], there["p_value"]) == (back["lost"], back["won"], back["p_value"])
    assert (there["won"] - there["lost"]) == np.sum(one == truth) - np.sum(other == truth)


def test_each_group_tells_how_many_books_each_gets_right_the_largest_first():
    truth = np.array([0, 1, 2, 0])
    rows = by_group(sure([0, 1, 0, 0]), sure([1, 1, 2, 1]), truth=truth, groups=["en", "zh", "zh", "zh"])
    assert rows == [
        {"name": "zh", "books": 3, "candidate": 2, "active": 2},
        {"name": "en", "books": 1, "candidate": 1, "active": 0},
    ]


def test_a_category_is_lost_where_one_gets_it_right_and_the_other_never_says_it():
    truth = np.array([0, 1, 1, 2])
    before = sure([2, 1, 0, 2])  # 0 is only ever said by mistake
    names = ["a", "b", "c"]
    assert lost_categories(sure([1, 1, 1, 1]), before, truth=truth, classes=names) == ["c"]
    assert lost_categories(sure([2, 2, 2, 1]), before, truth=truth, classes=names) == []
    assert lost_categories(before, before, truth=truth, classes=names) == []
