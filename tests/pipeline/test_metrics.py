"""Figures, each worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.metrics import expected_calibration_error, figures, per_category
from classifier.pipeline.suggestion import Suggestion, best_suggestions

#: Four books and four classes; the guesses are 0, 1, 1, 3.
PROBABILITIES = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],
        [0.2, 0.5, 0.3, 0.0],
        [0.3, 0.4, 0.1, 0.2],
        [0.2, 0.1, 0.1, 0.6],
    ]
)
TRUTH = np.array([0, 1, 0, 2])


def test_figures_are_those_worked_out_by_hand():
    result = figures(PROBABILITIES, TRUTH)
    assert result["accuracy"] == 2 / 4
    # F1: class 0 has precision 1 and recall 1/2, class 1 precision 1/2 and recall 1, classes 2 and 3 none.
    assert result["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)
    # Book 3 has classes 3, 0 and, of two equal ones, the first before its own.
    assert result["top3"] == 3 / 4
    # Confidences 0.7, 0.5, 0.4, 0.6 lie in bins of their own.
    assert result["calibration_error"] == pytest.approx((0.3 + 0.5 + 0.4 + 0.6) / 4)


def test_perfect_answers_have_perfect_figures():
    assert figures(np.eye(3)[[0, 1, 2, 1]], np.array([0, 1, 2, 1])) == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "top3": 1.0,
        "calibration_error": 0.0,
    }


def test_calibration_error_weighs_each_bin_by_its_books():
    confidence = np.array([0.95, 0.95, 0.95, 0.15])
    correct = np.array([1.0, 1.0, 0.0, 0.0])
    # One bin: 3 of 4 books, 0.95 against 2/3; the other: 1 of 4, 0.15 against 0.
    expected = 3 / 4 * (0.95 - 2 / 3) + 1 / 4 * 0.15
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(expected)


def test_errors_in_one_bin_level_out_and_in_two_they_do_not():
    confidence, correct = np.array([0.9, 0.7]), np.array([1.0, 0.6])
    assert expected_calibration_error(confidence, correct, bins=1) == pytest.approx(0)
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(0.1)


def test_full_confidence_lies_in_the_last_bin():
    error = expected_calibration_error(np.array([1.0, 0.96]), np.array([0.0, 1.0]), bins=10)
    assert error == pytest.approx(0.98 - 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_error_is_a_share(answers):
    confidence, correct = np.array(answers, float).T
    error = expected_calibration_error(confidence, correct)
    assert 0 <= error <= 1
    assert error >= abs(confidence.mean() - correct.mean()) - 1e-9


def test_each_category_that_occurs_has_its_precision_and_recall():
    assert per_category(PROBABILITIES, TRUTH, classes=["a", "b", "c", "d"]) == {
        "a": {"books": 2, "precision": 1.0, "recall": 0.5},
        "b": {"books": 1, "precision": 0.5, "recall": 1.0},
        "c": {"books": 1, "precision": 0.0, "recall": 0.0},
    }


def test_suggestions_are_ranked_and_equal_ones_keep_the_order_of_the_classes():
    found = best_suggestions(PROBABILITIES[[0, 3]], ids=["x", "y"], classes=["a", "b", "c", "d"], ranks=3)
    assert [(s.book, s.rank, s.category, s.probability) for s in found] == [
        ("x", 1, "a", 0.7),
        ("x", 2, "b", 0.1),
        ("x", 3, "c", 0.1),
        ("y", 1, "d", 0.6),
        ("y", 2, "a", 0.2),
        ("y", 3, "b", 0.1),
    ]


def test_there_are_no_more_suggestions_than_classes():
    found = best_suggestions(np.array([[0.4, 0.6]]), ids=["x"], classes=["a", "b"], ranks=3)
    assert found == [
        Suggestion(book="x", rank=1, category="b", probability=0.6),
        Suggestion(book="x", rank=2, category="a", probability=0.4),
    ]
    assert best_suggestions(np.empty((0, 2)), ids=[], classes=["a", "b"]) == []


def test_suggestions_need_an_id_for_every_row():
    with pytest.raises(ValueError, match="zip"):
        best_suggestions(PROBABILITIES, ids=["x"], classes=["a", "b", "c", "d"])
