"""Nearest rows against the full product."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features import neighbours
from classifier.pipeline.features.neighbours import largest, nearest, nearest_dense


def matrices(*, min_size: int = 0):
    row = st.lists(st.sampled_from([0, 0, 0.2, 0.5, 1]), min_size=4, max_size=4)
    return st.lists(row, min_size=min_size, max_size=12).map(
        lambda rows: np.array(rows, np.float32).reshape(len(rows), 4)
    )


def assert_largest(found: sp.csr_matrix, products: np.ndarray, k: int) -> None:
    """Check each row against the largest positive products; of equal ones any may be meant."""
    assert found.shape == products.shape
    assert found.dtype == np.float32
    for row, expected in zip(found.toarray(), products, strict=True):
        kept = np.flatnonzero(row)
        np.testing.assert_allclose(row[kept], expected[kept], rtol=1e-6)
        largest = np.sort(expected[expected > 0])[::-1][:k]
        np.testing.assert_allclose(np.sort(row[kept])[::-1], largest, rtol=1e-6)


@given(rows=matrices(), k=st.integers(1, 5), chunk=st.integers(1, 5))
def test_row_is_not_its_own_neighbour(rows, k, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_CHUNK", chunk)  # so that a few rows are several chunks
        result = nearest(sp.csr_matrix(rows), k)
    products = rows @ rows.T
    np.fill_diagonal(products, 0)
    assert_largest(result, products, k)


@given(rows=matrices(), known=matrices(min_size=1), k=st.integers(1, 5), data=st.data())
def test_self_index_excludes_known_rows(rows, known, k, data):
    place = st.integers(-1, len(known) - 1)
    itself = np.array(data.draw(st.lists(place, min_size=len(rows), max_size=len(rows))), np.int64)
    products = rows @ known.T
    everyone = nearest(sp.csr_matrix(rows), k, known=sp.csr_matrix(known))
    assert_largest(everyone, products, k)
    present = np.flatnonzero(itself >= 0)
    products[present, itself[present]] = 0
    others = nearest(sp.csr_matrix(rows), k, known=sp.csr_matrix(known), self_index=itself)
    assert_largest(others, products, k)


def test_progress_is_reported():
    reported = []
    nearest(sp.csr_matrix(np.eye(3, dtype=np.float32)), 2, on_step=lambda *step: reported.append(step))
    assert reported == [(0, 3), (3, 3)]


@given(rows=matrices(min_size=1), k=st.integers(1, 5), chunk=st.integers(1, 5), block=st.integers(1, 3))
def test_dense_rows_are_compared_by_cosine(rows, k, chunk, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_CHUNK", chunk)
        patch.setattr(neighbours, "_BLOCK", block)
        result = nearest_dense(rows, k)
    length = np.linalg.norm(rows, axis=1)
    unit = rows / np.where(length > 0, length, 1)[:, None]
    products = unit @ unit.T
    np.fill_diagonal(products, 0)
    assert_largest(result, products, k)


def test_large_input_is_compared_within_cells(monkeypatch):
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(9, dtype=np.float32), 9, axis=0) + 0.01 * rng.random((81, 9)).astype(np.float32)
    every = nearest_dense(rows, 4)
    monkeypatch.setattr(neighbours, "_MAX_EXHAUSTIVE", 10)
    by_cell = nearest_dense(rows, 4)
    kind = np.arange(81) // 9
    for result in (every, by_cell):
        at = result.tocoo()
        assert (kind[at.row] == kind[at.col]).all()
    assert by_cell.nnz == every.nnz == 81 * 4


def test_ties_keep_the_first():
    row = sp.csr_matrix(np.array([[1, 2, 1, 1, 0, -1]], np.float32))
    assert largest(row, 2).toarray().tolist() == [[1, 2, 0, 0, 0, 0]]
    assert largest(row, 9).toarray().tolist() == [[1, 2, 1, 1, 0, 0]]
