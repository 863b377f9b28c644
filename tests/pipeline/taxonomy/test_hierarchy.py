"""Category tree: paths and label smoothing."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.taxonomy.hierarchy import hierarchical_smoothing, path_of

names = st.sampled_from("abcdef")


@given(parents=st.dictionaries(names, names, max_size=6), name=names)
def test_path_ends_with_the_category_even_in_a_cycle(parents, name):
    path = path_of(name, parents)
    assert path[-1] == name
    assert len(set(path)) == len(path)
    assert all(parents[below] == above for above, below in pairwise(path))
    assert parents.get(path[0]) in (None, *path)


def test_siblings_get_half_of_the_smoothing():
    result = hierarchical_smoothing(["53", "54", "55", "81"], {"53": "5", "54": "5", "55": "5", "81": "8"})
    eighth = 1 / 8
    np.testing.assert_allclose(result[0], [eighth, eighth + 1 / 4, eighth + 1 / 4, eighth])
    np.testing.assert_allclose(result[3], [1 / 4] * 4)  # nobody is near


def test_nearest_categories_share_most_ancestors():
    parents = {"a": "x", "b": "x", "c": "y", "x": "top", "y": "top"}
    result = hierarchical_smoothing(["a", "b", "c"], parents)
    np.testing.assert_allclose(result[0], [1 / 6, 1 / 6 + 1 / 2, 1 / 6])
    np.testing.assert_allclose(result[2], [1 / 6 + 1 / 4, 1 / 6 + 1 / 4, 1 / 6])


def test_no_tree_gives_uniform_smoothing():
    assert np.array_equal(hierarchical_smoothing(["a", "b"], {}), np.full((2, 2), 0.5, np.float32))


@given(parents=st.dictionaries(names, names, max_size=6), classes=st.lists(names, min_size=1, unique=True))
def test_smoothing_rows_sum_to_one(parents, classes):
    result = hierarchical_smoothing(classes, parents)
    assert result.shape == (len(classes), len(classes))
    assert (result > 0).all()
    np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)
