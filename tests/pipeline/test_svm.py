"""The support vector machine and the probabilities made of its decisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.config import Config
from classifier.pipeline.svm import CalibratedSvm

KERNELS = ["linear", "rbf"]


def clouds(rng, *, per_class: int, n_classes: int, spread: float = 0.3):
    """Draw points round as many centres."""
    centres = np.eye(n_classes) * 2
    y = np.repeat(np.arange(n_classes), per_class)
    return (centres[y] + rng.normal(0, spread, (len(y), n_classes))).astype(np.float32), y


def machine(*settings: str, seed: int = 0) -> CalibratedSvm:
    return CalibratedSvm(settings=Config().with_settings(["svm.C=1", *settings]).svm, seed=seed)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_clouds_apart_are_told_apart_with_probabilities_that_sum_to_one(kernel, n_classes):
    rng = np.random.default_rng(0)
    svm = machine(f"svm.kernel={kernel}").fit(
        *clouds(rng, per_class=20, n_classes=n_classes), n_classes=n_classes
    )
    X, y = clouds(rng, per_class=10, n_classes=n_classes)
    probabilities = svm.predict_proba(X)
    assert probabilities.shape == (len(y), n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    assert (probabilities.argmax(axis=1) == y).mean() > 0.95
    assert np.array_equal(probabilities.argmax(axis=1), svm.decision(X).argmax(axis=1))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("known", [[0, 3], [1, 2, 3]])
def test_a_class_without_books_is_the_last_choice(kernel, known):
    X, y = clouds(np.random.default_rng(0), per_class=12, n_classes=4)
    rows = np.isin(y, known)
    svm = machine(f"svm.kernel={kernel}").fit(X[rows], y[rows], n_classes=4)
    probabilities = svm.predict_proba(X)
    unknown = [c for c in range(4) if c not in known]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[:, unknown].max(axis=1) < probabilities[:, known].min(axis=1)).all()
    assert (probabilities[rows].argmax(axis=1) == y[rows]).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_book_gets_the_same_alone_as_among_others(kernel):
    X, y = clouds(np.random.default_rng(0), per_class=12, n_classes=4, spread=1)
    svm = machine(f"svm.kernel={kernel}").fit(X[y != 2], y[y != 2], n_classes=4)
    together = svm.predict_proba(X)
    alone = np.vstack([svm.predict_proba(X[[i]]) for i in range(len(X))])
    np.testing.assert_allclose(alone, together, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_overlapping_clouds_are_not_answered_with_certainty(kernel):
    rng = np.random.default_rng(0)
    svm = machine(f"svm.kernel={kernel}").fit(
        *clouds(rng, per_class=100, n_classes=3, spread=2.5), n_classes=3
    )
    X, y = clouds(rng, per_class=200, n_classes=3, spread=2.5)
    probabilities = svm.predict_proba(X)
    accuracy = (probabilities.argmax(axis=1) == y).mean()
    assert accuracy < 0.8
    assert abs(probabilities.max(axis=1).mean() - accuracy) < 0.08


def test_sharper_decisions_mean_higher_probabilities():
    rng = np.random.default_rng(0)
    sharp = machine().fit(*clouds(rng, per_class=30, n_classes=3, spread=0.3), n_classes=3)
    dull = machine().fit(*clouds(rng, per_class=30, n_classes=3, spread=3), n_classes=3)
    assert sharp.sharpness_ > dull.sharpness_ > 0


def test_balance_weighs_rare_classes_up():
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=120, n_classes=2, spread=2)
    kept = (y == 0) | (np.arange(len(y)) % 10 == 0)
    answers = {
        balance: machine(f"svm.balance={balance}")
        .fit(X[kept], y[kept], n_classes=2)
        .decision(X)
        .argmax(axis=1)
        for balance in (0, 0.5, 1)
    }
    shares = [answers[balance].mean() for balance in (0, 0.5, 1)]
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_seed_gives_the_same_machine(kernel):
    X, y = clouds(np.random.default_rng(0), per_class=30, n_classes=3, spread=2)
    settings = [f"svm.kernel={kernel}", "svm.max_books=40"]
    first, second = (machine(*settings, seed=4).fit(X, y, n_classes=3).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_sample_of_many_books_is_enough():
    X, y = clouds(np.random.default_rng(0), per_class=60, n_classes=3)
    few = machine("svm.max_books=30", "svm.kernel=rbf").fit(X, y, n_classes=3)
    assert few.machine_.n_support_.sum() <= 30
    assert (few.predict_proba(X).argmax(axis=1) == y).mean() > 0.95


@given(counts=st.lists(st.integers(0, 4), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_the_smallest_sets_are_learned_from(counts, seed):
    if sum(count > 0 for count in counts) < 2:
        return
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.random.default_rng(seed).normal(size=(len(y), 3)).astype(np.float32)
    probabilities = machine(seed=seed).fit(X, y, n_classes=len(counts)).predict_proba(X)
    assert probabilities.shape == (len(y), len(counts))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
