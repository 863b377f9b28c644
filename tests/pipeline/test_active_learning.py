"""Ranking of books for review."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.active_learning import rank_for_review


def ordered(wrong, use, books, **options):
    books = np.array(books, np.float32)
    return rank_for_review(np.array(wrong, float), np.array(use, float), lambda rows: books[rows], **options)


def rows(*given_, **options):
    return ordered(*given_, **options)[0].tolist()


def test_most_probable_error_comes_first():
    order, gains = ordered([0.1, 0.9, 0.5], [1, 1, 1], np.eye(3))
    assert order.tolist() == [1, 2, 0]
    assert gains == pytest.approx([0.9, 0.5, 0.1])


def test_borrowed_books_come_first():
    assert rows([0.5, 0.5, 0.6], [1, 4, 1], np.eye(3)) == [1, 2, 0]


def test_similar_books_are_reviewed_once():
    books = np.eye(6)[[0, 0, 0, 0, 4, 5]]
    # Each of the four similar books is less likely to be wrong than the two others.
    order, gains = ordered([0.4, 0.4, 0.4, 0.4, 0.6, 0.7], [1] * 6, books, density_power=0.5)
    assert order[:3].tolist() == [0, 5, 4]
    assert gains == pytest.approx([0.8, 0.7, 0.6, 0, 0, 0], abs=1e-6)


def test_density_can_be_ignored():
    books = np.eye(6)[[0, 0, 0, 0, 4, 5]]
    assert rows([0.4, 0.4, 0.4, 0.4, 0.6, 0.7], [1] * 6, books, density_power=0) == [5, 4, 0, 1, 2, 3]


def test_certain_books_come_last():
    assert rows([0, 0.3, 0], [9, 1, 9], np.eye(3))[0] == 1


def test_no_books_have_no_order():
    order, gains = ordered([], [], np.zeros((0, 3)))
    assert (order.tolist(), gains.tolist()) == ([], [])


def test_books_beyond_the_pool_are_not_encoded():
    calls = []

    def see(some):
        calls.append(some.tolist())
        return np.eye(5, dtype=np.float32)[some]

    order, gains = rank_for_review(np.array([0.1, 0.5, 0.3, 0.9, 0.2]), np.ones(5), see, pool_size=2)
    assert calls == [[3, 1]]
    assert order.tolist() == [3, 1, 2, 4, 0]
    assert gains == pytest.approx([0.9, 0.5, 0.3, 0.2, 0.1])


@given(st.data())
def test_every_book_is_ranked_once(data):
    n = data.draw(st.integers(0, 30))
    wanted, pool = data.draw(st.none() | st.integers(0, 40)), data.draw(st.integers(0, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    order, gains = ordered(rng.random(n), rng.random(n), rng.random((n, 3)), limit=wanted, pool_size=pool)
    assert sorted(order.tolist()) == list(range(n))
    assert len(gains) == n
    assert (gains >= 0).all()


@given(st.integers(0, 1000))
def test_gains_decrease(seed):
    rng = np.random.default_rng(seed)
    wrong, use, books = rng.random(40), rng.random(40), np.abs(rng.normal(size=(40, 4))).astype(np.float32)
    unit = books / np.linalg.norm(books, axis=1, keepdims=True)
    similarity = np.clip((unit @ unit.T - 0.6) / 0.4, 0, 1)
    order, gains = ordered(wrong, use, books, min_similarity=0.6, density_power=1)
    brings = similarity.sum(axis=1) * wrong * use
    assert brings[order[0]] == pytest.approx(brings.max(), rel=1e-4)
    assert gains[0] == pytest.approx(brings.max(), rel=1e-4)
    assert (np.diff(gains) <= 1e-5).all()
    # A smaller pool is that of the books whose own correction is worth most.
    assert set(rows(wrong, use, books, pool_size=10)[:10]) == set(np.argsort(-wrong * use)[:10].tolist())


def test_invalid_input_is_rejected():
    with pytest.raises(ValueError, match="3 error probabilities and 2 weights"):
        ordered([0.1] * 3, [1] * 2, np.eye(3))
    for wrong, use in (([1.1], [1]), ([float("nan")], [1]), ([0.1], [-1]), ([0.1], [float("inf")])):
        with pytest.raises(ValueError, match="must be 0 to 1, weights finite"):
            ordered(wrong, use, np.eye(1))
