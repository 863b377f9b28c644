"""Linear discriminant analysis with uncategorised books."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from classifier.pipeline.fusion.discriminant import Discriminant, cross_fit_discriminant, sample_others


def vectors(books: int, *, seed: int = 0, width: int = 20, n_classes: int = 3):
    """Return unit vectors of books around the mean of their category, and the categories."""
    means = np.random.default_rng(9).normal(size=(n_classes, width))
    rng = np.random.default_rng(seed)
    y = np.arange(books) % n_classes
    X = means[y] + rng.normal(scale=3, size=(books, width))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), y


def accuracy(discriminant: Discriminant, X: np.ndarray, y: np.ndarray) -> float:
    return float((discriminant.scores(X).argmax(axis=1) == y).mean())


def test_many_books_give_scikit_learns_posteriors():
    X, y = vectors(30_000, width=4)
    scores = Discriminant().fit(X, y, n_classes=3).scores(X[:50])
    peer = LinearDiscriminantAnalysis(priors=np.full(3, 1 / 3)).fit(X, y).predict_log_proba(X[:50])
    np.testing.assert_allclose(scores, peer - peer.mean(axis=1, keepdims=True), atol=0.03)


def test_uncategorised_books_help_a_few_categorised_ones():
    X, y = vectors(30)
    others, _ = vectors(600, seed=1)
    new, truth = vectors(3000, seed=2)
    alone = Discriminant().fit(X, y, n_classes=3)
    helped = Discriminant().fit(X, y, n_classes=3, others=others)
    assert accuracy(helped, new, truth) > accuracy(alone, new, truth) + 0.03


def test_category_without_books_is_last():
    X, y = vectors(60)
    scores = Discriminant().fit(X, y + 1, n_classes=5).scores(X)
    assert set(scores.argmin(axis=1)) <= {0, 4}
    np.testing.assert_allclose(scores[:, 0], scores[:, 1:4].min(axis=1) - 1, atol=1e-4)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("books", [4, 25])
def test_identical_vectors_are_no_evidence(books):
    X = np.repeat(np.eye(1, 20, dtype=np.float32), books, axis=0)
    scores = Discriminant().fit(X, np.arange(books) % 2, n_classes=2).scores(X)
    np.testing.assert_allclose(scores, 0, atol=1e-3)


def test_discriminant_survives_storage():
    X, y = vectors(60)
    fitted = Discriminant().fit(X, y, n_classes=3)
    loaded = Discriminant.from_tensors(fitted.tensors(), width=20, n_classes=3)
    assert np.array_equal(loaded.scores(X), fitted.scores(X))


@pytest.mark.parametrize("name", ["coef", "intercept"])
def test_damaged_arrays_are_refused(name):
    X, y = vectors(60)
    tensors = Discriminant().fit(X, y, n_classes=3).tensors()
    with pytest.raises(ValueError, match="its discriminants"):
        Discriminant.from_tensors(tensors | {name: tensors[name][:-1]}, width=20, n_classes=3)


def test_books_are_scored_by_a_discriminant_that_has_not_seen_them():
    X, y = vectors(60)
    others, _ = vectors(40, seed=1)
    fold = np.arange(60) // 20
    fitted = cross_fit_discriminant(X, y, fold=fold, n_classes=3, others=others)
    assert fitted is not None
    whole, scores = fitted
    assert np.array_equal(whole.scores(X), Discriminant().fit(X, y, n_classes=3, others=others).scores(X))
    first = Discriminant().fit(X[20:], y[20:], n_classes=3, others=others)
    assert np.array_equal(scores[:20], first.scores(X[:20]))


@pytest.mark.parametrize("y", [[], [1, 1, 1, 1], [0, 1, 1, 1]])
def test_one_category_outside_a_fold_gives_no_discriminant(y):
    X, _ = vectors(len(y))
    fold = np.arange(len(y)) % 2
    assert cross_fit_discriminant(X, np.array(y, int), fold=fold, n_classes=2, others=X[:0]) is None


@pytest.mark.parametrize(("n_books", "n_others"), [(3, 6), (2_000, 4_000), (2_001, 0)])
def test_others_are_in_proportion_to_few_books(n_books, n_others):
    others = sample_others(np.arange(5_000), n_books=n_books, rng=np.random.default_rng(0))
    assert len(np.unique(others)) == len(others) == n_others
