"""Metrics against manual calculations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.evaluation.metrics import (
    accuracy_by_level,
    calibration_noise,
    compute_metrics,
    confusion_cells,
    expected_calibration_error,
    per_category_metrics,
    reliability_bins,
    selective_metrics,
)
from classifier.pipeline.suggestion import Suggestion, rank_suggestions

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


def test_metrics_match_a_manual_calculation():
    result = compute_metrics(PROBABILITIES, TRUTH)
    assert result["accuracy"] == 2 / 4
    # F1: class 0 has precision 1 and recall 1/2, class 1 precision 1/2 and recall 1, classes 2 and 3 none.
    assert result["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)
    # Book 3 has classes 3, 0 and, of two equal ones, the first before its own.
    assert result["top3"] == 3 / 4
    # Confidences 0.7, 0.5, 0.4, 0.6 lie in bins of their own.
    assert result["calibration_error"] == pytest.approx((0.3 + 0.5 + 0.4 + 0.6) / 4)


def test_perfect_predictions_have_perfect_metrics():
    assert compute_metrics(np.eye(3)[[0, 1, 2, 1]], np.array([0, 1, 2, 1])) == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "top3": 1.0,
        "calibration_error": 0.0,
        "calibration_noise": 0.0,
    }


def test_calibration_error_weights_bins_by_books():
    confidence = np.array([0.95, 0.95, 0.95, 0.15])
    correct = np.array([1.0, 1.0, 0.0, 0.0])
    # One bin: 3 of 4 books, 0.95 against 2/3; the other: 1 of 4, 0.15 against 0.
    expected = 3 / 4 * (0.95 - 2 / 3) + 1 / 4 * 0.15
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(expected)


def test_errors_cancel_within_a_bin_only():
    confidence, correct = np.array([0.9, 0.7]), np.array([1.0, 0.6])
    assert expected_calibration_error(confidence, correct, bins=1) == pytest.approx(0)
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx(0.1)


def test_full_confidence_is_in_the_last_bin():
    error = expected_calibration_error(np.array([1.0, 0.96]), np.array([0.0, 1.0]), bins=10)
    assert error == pytest.approx(0.98 - 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_error_is_between_0_and_1(answers):
    confidence, correct = np.array(answers, float).T
    error = expected_calibration_error(confidence, correct)
    assert 0 <= error <= 1
    assert error >= abs(confidence.mean() - correct.mean()) - 1e-9


def test_per_category_metrics_cover_occurring_categories():
    assert per_category_metrics(PROBABILITIES, TRUTH, classes=["a", "b", "c", "d"]) == {
        "a": {"books": 2, "precision": 1.0, "recall": 0.5, "f1": 2 / 3},
        "b": {"books": 1, "precision": 0.5, "recall": 1.0, "f1": 2 / 3},
        "c": {"books": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0},
    }


answered = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


@given(answered)
def test_confusion_cells_cover_all_books(books):
    rows, truth = np.array(books[0]), np.array(books[1])
    probabilities = rows / rows.sum(axis=1, keepdims=True)
    cells = confusion_cells(probabilities, truth)
    assert sum(n for _, _, n in cells) == len(truth)
    assert (
        sum(n for right, guess, n in cells if right == guess) == (probabilities.argmax(axis=1) == truth).sum()
    )
    assert all(n > 0 for _, _, n in cells)
    table = per_category_metrics(probabilities, truth, classes="abcd")
    for index, name in enumerate("abcd"):
        assert sum(n for right, _, n in cells if right == index) == table.get(name, {"books": 0})["books"]
    f1 = [row["f1"] for row in table.values()]
    guessed_only = set(rows.argmax(axis=1)) - set(truth)
    expected = compute_metrics(probabilities, truth)["macro_f1"]
    assert sum(f1) / (len(f1) + len(guessed_only)) == pytest.approx(expected)


def test_confusion_matches_a_manual_calculation():
    assert confusion_cells(PROBABILITIES, TRUTH) == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [2, 3, 1]]


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(answers, st.integers(1, 20))
def test_reliability_bins_cover_all_books(books, bins):
    confidence, correct = np.array(books, float).T
    rows = reliability_bins(confidence, correct, bins=bins)
    assert sum(row["books"] for row in rows) == len(books)
    assert sum(row["books"] * row["accuracy"] for row in rows) == pytest.approx(correct.sum())
    assert sum(row["books"] * row["confidence"] for row in rows) == pytest.approx(confidence.sum())
    for row in rows:
        assert row["from"] - 1e-9 <= row["confidence"] <= row["to"] + 1e-9
        assert row["to"] - row["from"] == pytest.approx(1 / bins)


@pytest.mark.parametrize("n", [130, 1000])
def test_noise_equals_the_error_of_calibrated_predictions(n):
    rng = np.random.default_rng(7)
    confidence = rng.uniform(0.3, 1, n)
    errors = [expected_calibration_error(confidence, (rng.random(n) < confidence) * 1.0) for _ in range(300)]
    assert calibration_noise(confidence) == pytest.approx(np.mean(errors), rel=0.1)
    assert calibration_noise(confidence) == calibration_noise(confidence)


def test_noise_shrinks_with_more_books():
    few, many = (calibration_noise(np.full(n, 0.7)) for n in (50, 5000))
    assert few > 5 * many
    # One bin: the mean distance of a share of n from 0.7 is that of a normal distribution.
    assert many == pytest.approx(np.sqrt(0.7 * 0.3 / 5000) * np.sqrt(2 / np.pi), rel=0.15)
    assert calibration_noise(np.array([0.0, 1.0, 1.0])) == 0


@given(answers)
def test_selective_curve_ends_with_all_books(books):
    confidence, correct = np.array(books, float).T
    result = selective_metrics(confidence, correct)
    coverages = [coverage for coverage, _ in result["curve"]]
    assert coverages == sorted(set(coverages))
    assert result["curve"][-1] == [1.0, pytest.approx(correct.mean())]
    order = np.argsort(-confidence, kind="stable")
    for coverage, accuracy in result["curve"]:
        given_ = round(coverage * len(books))
        assert accuracy == pytest.approx(correct[order[:given_]].mean())


@given(answers)
def test_coverage_counts_confidences_above_the_threshold(books):
    confidence, correct = np.array(books, float).T
    at = selective_metrics(confidence, correct)["at_precision"]
    assert list(at) == ["0.90", "0.95"]
    for wanted, result in at.items():
        if result["threshold"] is None:
            assert (result["coverage"], result["precision"]) == (0, None)
        else:
            shown = confidence >= result["threshold"]
            assert result["coverage"] == shown.mean() > 0
            assert result["precision"] == correct[shown].mean() >= float(wanted)
    assert at["0.95"]["coverage"] <= at["0.90"]["coverage"]


def test_wrong_sibling_is_correct_one_level_up():
    parents = {"530": "53", "535": "53", "53": "5", "51": "5"}
    classes = ["530", "535", "51", "9"]
    truth = np.arange(4)
    guesses = np.array([1, 1, 0, 0])  # a sibling, itself, a cousin, a stranger
    accuracies = accuracy_by_level(np.eye(4)[guesses], truth, classes=classes, parents=parents)
    assert accuracies == [3 / 4, 2 / 4, 1 / 4]


def test_no_parents_give_one_level():
    assert accuracy_by_level(PROBABILITIES, TRUTH, classes=["a", "b", "c", "d"], parents={}) == [0.5]


names = st.sampled_from("abcdef")


@given(
    parents=st.dictionaries(names, names, max_size=6),
    truth=st.lists(st.integers(0, 5), min_size=1, max_size=9),
)
def test_accuracy_never_rises_with_depth(parents, truth):
    probabilities = np.random.default_rng(0).random((len(truth), 6))
    accuracies = accuracy_by_level(probabilities, np.array(truth), classes="abcdef", parents=parents)
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] == (probabilities.argmax(axis=1) == truth).mean()


def test_suggestions_are_ranked_and_ties_keep_class_order():
    result = rank_suggestions(PROBABILITIES[[0, 3]], ids=["x", "y"], classes=["a", "b", "c", "d"], ranks=3)
    assert [(s.book, s.rank, s.category, s.probability) for s in result] == [
        ("x", 1, "a", 0.7),
        ("x", 2, "b", 0.1),
        ("x", 3, "c", 0.1),
        ("y", 1, "d", 0.6),
        ("y", 2, "a", 0.2),
        ("y", 3, "b", 0.1),
    ]


def test_suggestions_are_limited_by_classes():
    result = rank_suggestions(np.array([[0.4, 0.6]]), ids=["x"], classes=["a", "b"], ranks=3)
    assert result == [
        Suggestion(book="x", rank=1, category="b", probability=0.6),
        Suggestion(book="x", rank=2, category="a", probability=0.4),
    ]
    assert rank_suggestions(np.empty((0, 2)), ids=[], classes=["a", "b"]) == []


def test_suggestions_need_an_id_per_row():
    with pytest.raises(ValueError, match="zip"):
        rank_suggestions(PROBABILITIES, ids=["x"], classes=["a", "b", "c", "d"])
