"""The tree of categories: paths from the top, and how doubt is shared out among the near ones."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.taxonomy.hierarchy import kinship, path_of

names = st.sampled_from("abcdef")


@given(parents=st.dictionaries(names, names, max_size=6), name=names)
def test_a_path_ends_with_the_category_and_names_none_twice_in_a_circle_too(parents, name):
    path = path_of(name, parents)
    assert path[-1] == name
    assert len(set(path)) == len(path)
    assert all(parents[below] == above for above, below in pairwise(path))
    assert parents.get(path[0]) in (None, *path)


def test_half_of_the_doubt_goes_to_the_siblings():
    found = kinship(["53", "54", "55", "81"], {"53": "5", "54": "5", "55": "5", "81": "8"})
    eighth = 1 / 8
    np.testing.assert_allclose(found[0], [eighth, eighth + 1 / 4, eighth + 1 / 4, eighth])
    np.testing.assert_allclose(found[3], [1 / 4] * 4)  # nobody is near


def test_the_nearest_are_those_who_share_most_of_the_path():
    parents = {"a": "x", "b": "x", "c": "y", "x": "top", "y": "top"}
    found = kinship(["a", "b", "c"], parents)
    np.testing.assert_allclose(found[0], [1 / 6, 1 / 6 + 1 / 2, 1 / 6])
    np.testing.assert_allclose(found[2], [1 / 6 + 1 / 4, 1 / 6 + 1 / 4, 1 / 6])


def test_without_a_tree_all_share_alike():
    assert np.array_equal(kinship(["a", "b"], {}), np.full((2, 2), 0.5, np.float32))


@given(parents=st.dictionaries(names, names, max_size=6), classes=st.lists(names, min_size=1, unique=True))
def test_all_of_the_doubt_is_shared_out(parents, classes):
    found = kinship(classes, parents)
    assert found.shape == (len(classes), len(classes))
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
