"""The order in which books are put before a librarian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.active_learning import review_order


def ordered(wrong, use, books, **options):
    books = np.array(books, np.float32)
    return review_order(np.array(wrong, float), np.array(use, float), lambda rows: books[rows], **options)


def rows(*given_, **options):
    return ordered(*given_, **options)[0].tolist()


def test_of_books_unlike_each_other_the_likeliest_to_be_wrong_comes_first():
    order, gains = ordered([0.1, 0.9, 0.5], [1, 1, 1], np.eye(3))
    assert order.tolist() == [1, 2, 0]
    assert gains == pytest.approx([0.9, 0.5, 0.1])


def test_what_is_borrowed_much_comes_before_what_nobody_asks_for():
    assert rows([0.5, 0.5, 0.6], [1, 4, 1], np.eye(3)) == [1, 2, 0]


def test_a_book_of_many_alike_comes_first_and_its_likes_later():
    books = np.eye(6)[[0, 0, 0, 0, 4, 5]]
    # The four alike are each less likely to be wrong than the two others.
    order, gains = ordered([0.4, 0.4, 0.4, 0.4, 0.6, 0.7], [1] * 6, books, reach=0.5)
    assert order[:3].tolist() == [0, 5, 4]
    assert gains == pytest.approx([0.8, 0.7, 0.6, 0, 0, 0], abs=1e-6)


def test_it_can_be_left_out_of_account_how_many_an_answer_settles():
    books = np.eye(6)[[0, 0, 0, 0, 4, 5]]
    assert rows([0.4, 0.4, 0.4, 0.4, 0.6, 0.7], [1] * 6, books, reach=0) == [5, 4, 0, 1, 2, 3]


def test_books_that_cannot_be_wrong_come_last():
    assert rows([0, 0.3, 0], [9, 1, 9], np.eye(3))[0] == 1


def test_without_books_there_is_no_order():
    order, gains = ordered([], [], np.zeros((0, 3)))
    assert (order.tolist(), gains.tolist()) == ([], [])


def test_books_beyond_the_pool_are_never_looked_at():
    asked = []

    def see(some):
        asked.append(some.tolist())
        return np.eye(5, dtype=np.float32)[some]

    order, gains = review_order(np.array([0.1, 0.5, 0.3, 0.9, 0.2]), np.ones(5), see, pool=2)
    assert asked == [[3, 1]]
    assert order.tolist() == [3, 1, 2, 4, 0]
    assert gains == pytest.approx([0.9, 0.5, 0.3, 0.2, 0.1])


@given(st.data())
def test_every_book_is_asked_about_once(data):
    n = data.draw(st.integers(0, 30))
    wanted, pool = data.draw(st.none() | st.integers(0, 40)), data.draw(st.integers(0, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    order, gains = ordered(rng.random(n), rng.random(n), rng.random((n, 3)), n=wanted, pool=pool)
    assert sorted(order.tolist()) == list(range(n))
    assert len(gains) == n
    assert (gains >= 0).all()


@given(st.integers(0, 1000))
def test_the_first_is_the_one_that_brings_most_and_no_later_one_brings_more(seed):
    rng = np.random.default_rng(seed)
    wrong, use, books = rng.random(40), rng.random(40), np.abs(rng.normal(size=(40, 4))).astype(np.float32)
    unit = books / np.linalg.norm(books, axis=1, keepdims=True)
    alike = np.clip((unit @ unit.T - 0.6) / 0.4, 0, 1)
    order, gains = ordered(wrong, use, books, alike=0.6, reach=1)
    brings = alike.sum(axis=1) * wrong * use
    assert brings[order[0]] == pytest.approx(brings.max(), rel=1e-4)
    assert gains[0] == pytest.approx(brings.max(), rel=1e-4)
    assert (np.diff(gains) <= 1e-5).all()
    # A smaller pool is that of the books with most to mend of their own.
    assert set(rows(wrong, use, books, pool=10)[:10]) == set(np.argsort(-wrong * use)[:10].tolist())


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(ValueError, match="3 chances and 2 weights"):
        ordered([0.1] * 3, [1] * 2, np.eye(3))
    for wrong, use in (([1.1], [1]), ([float("nan")], [1]), ([0.1], [-1]), ([0.1], [float("inf")])):
        with pytest.raises(ValueError, match="from 0 to 1, and weights not negative"):
            ordered(wrong, use, np.eye(1))
