"""Holdout and folds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.evaluation.splits import (
    author_groups,
    author_key,
    grouped_folds,
    select_held_out,
    stratified_folds,
)
from classifier.pipeline.records import BookRecord

ids = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=60)
shares = st.floats(0.01, 0.99)


@given(ids=ids, share=shares, max_books=st.integers(1, 80))
def test_holdout_size_is_within_bounds(ids, share, max_books):
    out = select_held_out(ids, share=share, max_books=max_books)
    assert out.dtype == bool
    assert out.shape == (len(ids),)
    assert out.sum() <= max_books
    if len(ids) > 1:
        assert 1 <= out.sum() < len(ids)
    else:
        assert not out.any()


@given(ids=ids, share=shares, data=st.data())
def test_holdout_ignores_book_order(ids, share, data):
    order = data.draw(st.permutations(range(len(ids))))
    out = select_held_out(ids, share=share, max_books=10)
    assert (
        select_held_out([ids[i] for i in order], share=share, max_books=10).tolist()
        == out[list(order)].tolist()
    )


def test_holdout_is_stable_when_the_library_grows():
    old = [f"b{i}" for i in range(400)]
    new = [f"n{i}" for i in range(300)]
    before = select_held_out(old, share=0.2, max_books=1000)
    after = select_held_out([*new, *old], share=0.2, max_books=1000)
    assert after[300:].tolist() == before.tolist()


def test_larger_share_holds_out_a_superset():
    books = [str(i) for i in range(5000)]
    fifth, third = (select_held_out(books, share=share, max_books=5000) for share in (0.2, 1 / 3))
    assert abs(fifth.mean() - 0.2) < 0.02
    assert abs(third.mean() - 1 / 3) < 0.02
    assert third[fifth].all()


def test_maximum_keeps_the_smallest_hashes():
    books = [str(i) for i in range(500)]
    subset, all_ = (select_held_out(books, share=0.5, max_books=n) for n in (20, 500))
    assert subset.sum() == 20
    assert all_[subset].all()


@given(keys=st.lists(st.sampled_from("abcdefgh"), max_size=40), share=shares, max_books=st.integers(1, 40))
def test_shared_keys_stay_together(keys, share, max_books):
    out = select_held_out(keys, share=share, max_books=max_books)
    inside = {key for key, is_out in zip(keys, out, strict=True) if is_out}
    outside = {key for key, is_out in zip(keys, out, strict=True) if not is_out}
    assert not inside & outside
    if len(set(keys)) > 1:
        assert inside
        assert outside
    assert out.sum() <= max_books or len(inside) == 1


def test_any_characters_are_valid_keys():
    assert select_held_out(["\ud800", "书", "b"], share=0.5, max_books=3).sum() in (1, 2)


labels = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@given(y=labels, folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_stratified_folds_are_even(y, folds, seed):
    y = np.array(y)
    fold = stratified_folds(y, folds=folds, rng=np.random.default_rng(seed))
    assert set(fold) <= set(range(folds))
    for members in (fold, *(fold[y == c] for c in np.unique(y))):
        sizes = [Counter(members.tolist())[k] for k in range(folds)]
        assert max(sizes) - min(sizes) <= 1


def test_stratified_folds_depend_on_the_generator():
    y = np.repeat([0, 1], 20)
    one, same, other = (stratified_folds(y, folds=4, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


@given(groups=st.lists(st.integers(0, 12), min_size=1, max_size=60), folds=st.integers(2, 5), data=st.data())
def test_groups_stay_in_one_fold(groups, folds, data):
    groups = np.array(groups)
    fold = grouped_folds(groups, folds=folds, rng=np.random.default_rng(data.draw(st.integers(0, 9))))
    assert set(fold) <= set(range(folds))
    sizes = Counter(fold.tolist())
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    # Dealt to the smallest fold, the last group of the largest fold was put where no fold had fewer books.
    largest = max(sizes.values())
    last = min(np.sum(groups == g) for g in set(groups[fold == max(sizes, key=sizes.get)]))
    assert largest - last <= min(sizes.get(k, 0) for k in range(folds))


def test_grouped_folds_depend_on_the_generator():
    groups = np.repeat(np.arange(20), 3)
    one, same, other = (grouped_folds(groups, folds=4, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def books_by(*authors, category="a"):
    return [
        BookRecord(id=f"{category}{i}", authors=author, category=category) for i, author in enumerate(authors)
    ]


#: Sixty books by thirty authors, two each.
SHELF = books_by(*(f"Author {i % 30}" for i in range(60)))


def test_authors_are_grouped_if_uncategorised_ones_differ():
    books = [*SHELF, *books_by(*(f"Other {i % 30}" for i in range(60)), category=None)]
    groups = author_groups(books)
    assert groups is not None
    for one in range(120):
        for other in range(120):
            assert (groups[one] == groups[other]) == (books[one].authors == books[other].authors)


def test_authors_are_not_grouped_if_shared():
    assert author_groups([*SHELF, *books_by(*(f"Author {i % 30}" for i in range(60)), category=None)]) is None
    # Six books in ten by known authors are no less than half of all.
    subset = [f"{'Author' if i < 36 else 'Other'} {i % 30}" for i in range(60)]
    assert author_groups([*SHELF, *books_by(*subset, category=None)]) is None


@pytest.mark.parametrize(
    "books",
    [
        [],
        SHELF,
        [*SHELF, *books_by(*["Other"] * 49, *[""] * 20, category=None)],
        [*SHELF[:49], *books_by(*["Other"] * 60, category=None)],
        [*books_by(*["One", "Two"] * 30), *books_by(*["Other"] * 60, category=None)],
    ],
    ids=["no books", "nothing to classify", "few to classify", "few to learn from", "few authors"],
)
def test_small_samples_allow_no_conclusion(books):
    assert author_groups(books) is None


def test_author_key_ignores_spacing_and_case():
    books = [
        BookRecord(id=str(i), authors=name) for i, name in enumerate(["A.  Nother", " a. nother", "", " "])
    ]
    assert [author_key(book) for book in books] == ["a. nother", "a. nother", "2", "3"]
