"""Projection of books to two dimensions."""

import numpy as np
import pytest

from classifier.pipeline.projection import project_2d


def groups(rng, *, n=30, d=16):
    """Return codes of three groups of books, and which group each is of."""
    centres = rng.normal(size=(3, d)) * 4
    of = np.repeat(np.arange(3), n)
    return (centres[of] + rng.normal(size=(3 * n, d))).astype(np.float32), of


def test_similar_books_are_close():
    codes, of = groups(np.random.default_rng(1))
    plane = project_2d(codes, seed=0)
    assert plane.shape == (90, 2)
    assert np.abs(plane).max() == pytest.approx(1)
    far = np.linalg.norm(plane[:, None] - plane[None], axis=2) + np.eye(90) * 9
    assert (of[far.argmin(axis=1)] == of).mean() > 0.95


def test_projection_is_reproducible():
    codes, _of = groups(np.random.default_rng(2))
    assert np.array_equal(project_2d(codes, seed=3), project_2d(codes, seed=3))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("d", [1, 5])
def test_few_books_have_positions(n, d):
    plane = project_2d(np.random.default_rng(0).normal(size=(n, d)).astype(np.float32), seed=0)
    assert plane.shape == (n, 2)
    assert np.isfinite(plane).all()


def test_identical_books_have_positions():
    assert np.isfinite(project_2d(np.zeros((10, 4), np.float32), seed=0)).all()
