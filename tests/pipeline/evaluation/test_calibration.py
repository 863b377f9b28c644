"""Temperature calibration and abstention thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from classifier.pipeline.evaluation.calibration import Temperature, cross_calibrated, threshold
from classifier.pipeline.evaluation.metrics import expected_calibration_error


def answers(rng, *, books: int, heat: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores of five classes, and classes that are as likely as the scores divided by `heat` say."""
    scores = rng.normal(0, 3, (books, 5))
    likely = softmax(scores / heat, axis=1)
    return scores, np.array([rng.choice(5, p=row) for row in likely])


@pytest.mark.parametrize("heat", [0.6, 1, 1.8])
def test_fit_recovers_the_temperature(heat):
    scores, y = answers(np.random.default_rng(0), books=8000, heat=heat)
    result = Temperature.fit(scores, y)
    assert np.exp(result.level) == pytest.approx(heat, rel=0.12)
    off = result.probabilities(scores).max(axis=1) - softmax(scores / heat, axis=1).max(axis=1)
    assert np.abs(off).max() < 0.03


def test_over_and_underconfidence_are_both_corrected():
    rng = np.random.default_rng(0)
    scores = np.column_stack([rng.uniform(0, 6, 8000), np.zeros((8000, 4))])
    sure = softmax(scores, axis=1)[:, 0]  # 0.2 to 0.99
    right = rng.random(8000) < 0.35 + 0.55 * sure
    result = Temperature.fit(scores, np.where(right, 0, 1))

    confidence = result.probabilities(scores)[:, 0]
    before, after = (expected_calibration_error(c, right.astype(float)) for c in (sure, confidence))
    assert before > 0.08
    assert after < before / 2


def test_few_books_keep_the_temperature_near_the_prior():
    wrong = np.tile([[5.0, 0]], (1000, 1))
    for near, at_first in ((Temperature(), 5.0), (Temperature(level=-0.4, slope=0.6), 5.5)):
        assert near.scale(wrong)[0, 0] == pytest.approx(at_first, abs=0.1)
        few, many = (
            Temperature.fit(wrong[:n], np.ones(n, int), prior=near).scale(wrong)[0, 0] for n in (1, 1000)
        )
        assert at_first / 2 < few < at_first
        assert many < 1
        assert Temperature.fit(np.zeros((0, 2)), np.zeros(0, int), prior=near) == near


@given(seed=st.integers(0, 99), books=st.integers(1, 40), shift=st.floats(-50, 50))
def test_scaling_keeps_order_and_ignores_constants(seed, books, shift):
    scores, y = answers(np.random.default_rng(seed), books=books, heat=1.5)
    result = Temperature.fit(scores, y)
    probabilities = result.probabilities(scores)
    assert np.array_equal(np.argsort(probabilities, axis=1), np.argsort(scores, axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(result.probabilities(scores + shift), probabilities, atol=1e-9)


@given(seed=st.integers(0, 99), books=st.integers(1, 30))
def test_cross_calibration_excludes_the_book_itself(seed, books):
    rng = np.random.default_rng(seed)
    scores, y = answers(rng, books=books, heat=2)
    cooled = cross_calibrated(scores, y, prior=Temperature())
    assert np.array_equal(cooled.argmax(axis=1), scores.argmax(axis=1))
    book = int(rng.integers(books))
    changed = y.copy()
    changed[book] = (y[book] + 1) % 5
    assert np.array_equal(cross_calibrated(scores, changed, prior=Temperature())[book], cooled[book])


def test_scaling_does_not_modify_scores():
    scores, y = answers(np.random.default_rng(0), books=20, heat=2)
    before = scores.copy()
    cross_calibrated(scores, y, prior=Temperature())
    assert np.array_equal(scores, before)


books = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 0.99]), st.booleans()), max_size=80)


@given(books, st.floats(0.05, 1))
def test_threshold_reaches_the_precision(books, precision):
    confidence = np.array([sure for sure, _ in books])
    correct = np.array([right for _, right in books], bool)
    lowest = threshold(confidence, correct, precision=precision)
    given_ = confidence >= lowest
    if np.isinf(lowest):
        assert not given_.any()
    else:
        assert lowest in confidence
        assert correct[given_].mean() >= precision
    # No lower one does, one more wrong answer reckoned in.
    for lower in set(confidence[confidence < lowest]):
        shown = confidence >= lower
        assert correct[shown].sum() / (shown.sum() + 1) < precision


@given(books, st.floats(0.05, 0.95))
def test_higher_precision_never_covers_more(books, precision):
    confidence = np.array([sure for sure, _ in books])
    correct = np.array([right for _, right in books], bool)
    low, high = (threshold(confidence, correct, precision=p) for p in (precision, precision + 0.04))
    assert low <= high


def test_equal_confidences_share_one_decision():
    confidence = np.array([0.9] * 10 + [0.8] * 10)
    correct = np.array([True] * 10 + [True] * 5 + [False] * 5)
    assert threshold(confidence, correct, precision=0.9) == 0.9  # 10 / 11
    assert threshold(confidence, correct, precision=0.7) == 0.8  # 15 / 21


@pytest.mark.parametrize("right", [0, 3])
def test_unreachable_precision_gives_infinity(right):
    correct = np.arange(20) < right
    assert threshold(np.linspace(0.9, 0.1, 20), correct, precision=0.9) == np.inf


def test_few_correct_predictions_are_no_guarantee():
    assert threshold(np.full(8, 0.9), np.ones(8, bool), precision=0.9) == np.inf
    assert threshold(np.full(9, 0.9), np.ones(9, bool), precision=0.9) == 0.9
    assert threshold(np.empty(0), np.empty(0, bool), precision=0.5) == np.inf
