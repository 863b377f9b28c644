"""Sparse linear item regression, with weights split by source.

References
----------
Ning and Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011 (regression on
neighbours: fsSLIM), and Sparse Linear Methods with Side Information for Top-N Recommendations, RecSys 2012
(content beside borrowers: cSLIM).
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from classifier.pipeline.features.base import Progress
from classifier.pipeline.records import Float32, Float64, Int64

_CHUNK = 1024  # titles per task
#: More threads would wait for the interpreter lock.
_THREADS = min(os.cpu_count() or 1, 4)

Content: TypeAlias = sp.csr_matrix | Float32
"""Features of titles, one row each, sparse or dense."""


def regress(
    *,
    candidates: sp.csr_matrix,
    shared: sp.csr_matrix,
    content: Mapping[str, Content],
    weights: Mapping[str, float],
    penalty: float,
    progress: Progress,
) -> dict[str, sp.csr_matrix]:
    """Return the regression weights of titles on each other, by source, (n_titles, n_titles) each.

    Parameters
    ----------
    candidates, shared : (n_titles, n_titles)
        Possible predictors of each row's title; co-occurrence, with own weights on the diagonal.
    content : (n_titles, d)
        Rows of unit length, or zeros if unknown.
    weights
        Relative to borrowers.
    penalty
        On the squared weights.
    """
    n = candidates.shape[0]

    def learn(first: int) -> tuple[Int64, Int64, Float64]:
        predictors, predicted = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        solved = [np.empty((0, 1 + len(content)))]
        position = np.full(n, -1)
        for title in range(first, min(first + _CHUNK, n)):
            near = candidates.indices[slice(*candidates.indptr[title : title + 2])].astype(np.int64)
            if not len(near):
                continue
            rows = np.append(near, title)
            gram_matrices = [_square(shared, rows, position)]
            gram_matrices += [weights[source] * _products(values, rows) for source, values in content.items()]
            total = sum(gram_matrices) + penalty * np.eye(len(rows))
            targets = np.column_stack([part[:-1, -1] for part in gram_matrices])  # (n_near, n_sources)
            weights_by_source = np.linalg.solve(total[:-1, :-1], targets)  # the parts sum to the total
            is_positive = weights_by_source.sum(axis=1) > 0
            predictors.append(near[is_positive])
            predicted.append(np.full(int(is_positive.sum()), title))
            solved.append(weights_by_source[is_positive])
        return np.concatenate(predictors), np.concatenate(predicted), np.concatenate(solved)

    chunks, firsts = [], range(0, max(n, 1), _CHUNK)
    # One thread per chunk: matrices this small gain nothing from BLAS threads.
    with threadpool_limits(1), ThreadPoolExecutor(_THREADS) as threads:
        progress("learning borrowing sequences", 0, n)
        for first, chunk in zip(firsts, threads.map(learn, firsts), strict=True):
            chunks.append(chunk)
            progress("learning borrowing sequences", min(first + _CHUNK, n), n)
    predictors, predicted, parts = (np.concatenate(column) for column in zip(*chunks, strict=True))
    return {
        source: sp.csr_matrix((parts[:, column], (predictors, predicted)), shape=(n, n), dtype=np.float32)
        for column, source in enumerate(("loans", *content))
    }


def _values(matrix: sp.csr_matrix, rows: Int64) -> tuple[Int64, Int64, Float32]:
    """Return row index, column and value of some rows; SciPy's slicing is ten times as slow for few rows."""
    first = matrix.indptr[rows].astype(np.int64)
    count = matrix.indptr[rows + 1] - first
    offset = np.cumsum(count) - count
    positions = np.arange(int(count.sum())) + np.repeat(first - offset, count)
    return np.repeat(np.arange(len(rows)), count), matrix.indices[positions], matrix.data[positions]


def _square(matrix: sp.csr_matrix, rows: Int64, position: Int64) -> Float64:
    """Return a square submatrix, (n_rows, n_rows); `position` is a scratch array of -1."""
    position[rows] = np.arange(len(rows))
    row, column, value = _values(matrix, rows)
    column = position[column]
    position[rows] = -1
    square = np.zeros((len(rows), len(rows)))
    inside = column >= 0
    square[row[inside], column[inside]] = value[inside]
    return square


def _products(content: Content, rows: Int64) -> Float64:
    """Return the non-negative products of some rows with each other, (n_rows, n_rows)."""
    if sp.issparse(content):
        row, column, value = _values(content, rows)
        terms, column = np.unique(column, return_inverse=True)
        features = np.zeros((len(rows), len(terms)), np.float32)
        features[row, column] = value
    else:
        features = np.asarray(content[rows], np.float32)
    return np.asarray(np.maximum(features @ features.T, 0), np.float64)
