"""Which books are held out, and how folds are dealt."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.splits import held_out, stratified_folds

ids = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=60)
shares = st.floats(0.01, 0.99)


@given(ids=ids, share=shares, at_most=st.integers(1, 80))
def test_at_least_one_book_is_held_out_and_one_left_and_never_more_than_allowed(ids, share, at_most):
    out = held_out(ids, share=share, at_most=at_most)
    assert out.dtype == bool
    assert out.shape == (len(ids),)
    assert out.sum() <= at_most
    if len(ids) > 1:
        assert 1 <= out.sum() < len(ids)
    else:
        assert not out.any()


@given(ids=ids, share=shares, data=st.data())
def test_the_order_of_the_books_does_not_matter(ids, share, data):
    order = data.draw(st.permutations(range(len(ids))))
    out = held_out(ids, share=share, at_most=10)
    assert held_out([ids[i] for i in order], share=share, at_most=10).tolist() == out[list(order)].tolist()


def test_a_book_is_held_out_again_when_the_library_has_grown():
    old = [f"b{i}" for i in range(400)]
    new = [f"n{i}" for i in range(300)]
    before = held_out(old, share=0.2, at_most=1000)
    after = held_out([*new, *old], share=0.2, at_most=1000)
    assert after[300:].tolist() == before.tolist()


def test_about_the_share_is_held_out_and_a_larger_share_holds_out_the_same_and_more():
    books = [str(i) for i in range(5000)]
    fifth, third = (held_out(books, share=share, at_most=5000) for share in (0.2, 1 / 3))
    assert abs(fifth.mean() - 0.2) < 0.02
    assert abs(third.mean() - 1 / 3) < 0.02
    assert third[fifth].all()


def test_where_too_many_would_be_held_out_those_chosen_are_among_them():
    books = [str(i) for i in range(500)]
    some, all_ = (held_out(books, share=0.5, at_most=n) for n in (20, 500))
    assert some.sum() == 20
    assert all_[some].all()


labels = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@given(y=labels, folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_folds_are_even_as_a_whole_and_within_each_class(y, folds, seed):
    y = np.array(y)
    fold = stratified_folds(y, folds=folds, rng=np.random.default_rng(seed))
    assert set(fold) <= set(range(folds))
    for members in (fold, *(fold[y == c] for c in np.unique(y))):
        sizes = [Counter(members.tolist())[k] for k in range(folds)]
        assert max(sizes) - min(sizes) <= 1


def test_the_generator_decides_who_goes_where():
    y = np.repeat([0, 1], 20)
    one, same, other = (stratified_folds(y, folds=4, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()
