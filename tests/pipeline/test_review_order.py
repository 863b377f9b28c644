"""The order in which books are put before a librarian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.review_order import review_order


def ordered(wrong, use, books, **options):
    options.setdefault("n", len(wrong))
    return review_order(
        np.array(wrong, float), np.array(use, float), np.array(books, np.float32), **options
    ).tolist()


def test_of_books_unlike_each_other_the_likeliest_to_be_wrong_comes_first():
    assert ordered([0.1, 0.9, 0.5], [1, 1, 1], np.eye(3)) == [1, 2, 0]


def test_what_is_borrowed_much_comes_before_what_nobody_asks_for():
    assert ordered([0.5, 0.5, 0.6], [1, 4, 1], np.eye(3)) == [1, 2, 0]


def test_a_book_of_many_alike_comes_first_and_its_likes_later():
    books = np.eye(6)[[0, 0, 0, 0, 4, 5]]
    # The four alike are each less likely to be wrong than the two others.
    assert ordered([0.4, 0.4, 0.4, 0.4, 0.6, 0.7], [1] * 6, books) == [0, 5, 4, 1, 2, 3]


def test_books_that_cannot_be_wrong_come_last():
    assert ordered([0, 0.3, 0], [9, 1, 9], np.eye(3))[0] == 1


@given(st.data())
def test_every_book_is_asked_about_once(data):
    n = data.draw(st.integers(0, 30))
    wanted, pool = data.draw(st.integers(0, 40)), data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    order = ordered(rng.random(n), rng.random(n), rng.random((n, 3)), n=wanted, pool=pool)
    assert len(order) == min(n, wanted)
    assert len(set(order)) == len(order)
    assert set(order) <= set(range(n))


@given(st.integers(0, 1000))
def test_the_first_is_the_one_that_brings_most_whatever_the_pool(seed):
    rng = np.random.default_rng(seed)
    wrong, use, books = rng.random(40), rng.random(40), np.abs(rng.normal(size=(40, 4))).astype(np.float32)
    unit = books / np.linalg.norm(books, axis=1, keepdims=True)
    alike = np.clip((unit @ unit.T - 0.6) / 0.4, 0, 1)
    first = ordered(wrong, use, books)[0]
    assert (alike @ (wrong * use))[first] == pytest.approx((alike @ (wrong * use)).max(), rel=1e-4)
    # A smaller pool is that of the books with most to mend of their own.
    assert set(ordered(wrong, use, books, pool=10)[:10]) == set(np.argsort(-wrong * use)[:10].tolist())


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(ValueError, match="3 chances, 2 weights and 3 books"):
        ordered([0.1] * 3, [1] * 2, np.eye(3))
    with pytest.raises(ValueError, match="from 0 to 1"):
        ordered([1.1], [1], np.eye(1))
    with pytest.raises(ValueError, match="not negative"):
        ordered([0.1], [-1], np.eye(1))
