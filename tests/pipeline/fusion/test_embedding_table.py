"""Embedding table: products and optimiser steps."""

import numpy as np
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.fusion.embedding_table import EmbeddingTable

GRADIENT = np.array([3.0, 4.0])  # mean square 12.5


def table_of(rows: np.ndarray) -> EmbeddingTable:
    table = EmbeddingTable(*rows.shape)
    table.table = torch.from_numpy(rows.astype(np.float32))
    return table


def stepped(table: EmbeddingTable, terms: sp.csr_matrix, gradient: np.ndarray) -> np.ndarray:
    """Return the table after one step of length 0.1 down the gradient of its output."""
    table(terms).backward(torch.from_numpy(gradient.astype(np.float32)))
    table.step(learning_rate=0.1)
    return table.table.numpy().copy()


def one_term(term: int, n_terms: int = 3) -> sp.csr_matrix:
    return sp.csr_matrix(np.eye(n_terms, dtype=np.float32)[[term]])


weights = st.lists(st.sampled_from([0, 0, 0.5, 2.0]), min_size=5, max_size=5)


@given(books=st.lists(weights, max_size=6), seed=st.integers(0, 99))
def test_code_is_the_weighted_sum_of_terms(books, seed):
    rng = np.random.default_rng(seed)
    rows, gradient = rng.normal(size=(5, 3)), rng.normal(size=(len(books), 3))
    dense = np.array(books, np.float32).reshape(len(books), 5)
    table = table_of(rows)
    terms = sp.csr_matrix(dense)
    np.testing.assert_allclose(table(terms).detach().numpy(), dense @ rows, atol=1e-5)
    np.testing.assert_allclose(table.eval()(terms).numpy(), dense @ rows, atol=1e-5)
    # Each row goes down its gradient, that of a matrix product, by the root of its squares.
    after = stepped(table.train(), terms, gradient)
    squares = (dense**2).T @ (gradient**2).mean(axis=1)
    scale = np.divide(0.1, np.sqrt(squares), out=np.zeros(5), where=squares > 0)
    np.testing.assert_allclose(after, rows - scale[:, None] * (dense.T @ gradient), atol=1e-4)


def test_only_terms_of_the_batch_are_updated():
    table = table_of(np.ones((3, 2)))
    for _ in range(3):
        after = stepped(table, one_term(1), GRADIENT[None])
    assert (after[[0, 2]] == 1).all()
    assert (after[1] < 1).all()


def test_table_starts_at_zero():
    assert not EmbeddingTable(3, 2).table.any()


def test_steps_are_divided_by_the_root_of_summed_squares():
    table = table_of(np.zeros((3, 2)))
    first = stepped(table, one_term(1), GRADIENT[None])[1]
    np.testing.assert_allclose(first, -0.1 * GRADIENT / np.sqrt(12.5), rtol=1e-5)
    second = stepped(table, one_term(1), GRADIENT[None])[1] - first
    np.testing.assert_allclose(second, -0.1 * GRADIENT / np.sqrt(25), rtol=1e-5)


def test_gradient_scale_does_not_matter():
    small, large = (table_of(np.zeros((3, 2))) for _ in range(2))
    for step in (1.0, 0.5, -2.0):
        a = stepped(small, one_term(0), step * GRADIENT[None])
        b = stepped(large, one_term(0), 1000 * step * GRADIENT[None])
    np.testing.assert_allclose(a, b, rtol=1e-4)


def test_step_without_batch_does_nothing():
    table = table_of(np.ones((3, 2)))
    stepped(table, one_term(1), GRADIENT[None])
    before = table.table.clone()
    table.step(learning_rate=0.1)
    assert torch.equal(table.table, before)


def test_finished_table_is_half_precision():
    table = table_of(np.full((2, 2), 0.1))
    table.finish()
    assert table.table.dtype == torch.float32
    assert table.table.tolist() == [[np.float16(0.1)] * 2] * 2
