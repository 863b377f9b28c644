"""The sparse linear regression of titles on their neighbours, in parts by source.

References
----------
Ning and Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011 (the regression on
neighbours: fsSLIM).
Ning and Karypis, Sparse Linear Methods with Side Information for Top-N Recommendations, RecSys 2012 (content
beside borrowers: cSLIM).
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

_CHUNK = 1024  # titles between two reports
#: More would wait for the interpreter, which has a part in each title.
_THREADS = min(os.cpu_count() or 1, 4)

Content: TypeAlias = sp.csr_matrix | Float32
"""What is in the titles, a row each: sparse or dense."""


def regress(
    *,
    candidates: sp.csr_matrix,
    shared: sp.csr_matrix,
    content: Mapping[str, Content],
    weights: Mapping[str, float],
    penalty: float,
    progress: Progress,
) -> dict[str, sp.csr_matrix]:
    """Return what titles add to each other by each source, (n_titles, n_titles) each.

    Parameters
    ----------
    candidates : CSR matrix (n_titles, n_titles)
        Each title is predicted from those in its row.
    shared : CSR matrix (n_titles, n_titles)
        What the borrowers of two titles say, on the diagonal those of one.
    content : mapping of str to array or CSR matrix (n_titles, d)
        Rows of unit length, or of zeros where nothing is known.
    weights : mapping of str to float
        Of each content, beside the borrowers.
    penalty : float
        On the squares of the weights.
    progress : callable
    """
    n = candidates.shape[0]

    def learn(first: int) -> tuple[Int64, Int64, Float64]:
        """Return predictors, predicted titles and parts of the weights for the titles of a chunk."""
        predictors, predicted = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        solved = [np.empty((0, 1 + len(content)))]
        place = np.full(n, -1)
        for title in range(first, min(first + _CHUNK, n)):
            near = candidates.indices[slice(*candidates.indptr[title : title + 2])].astype(np.int64)
            if not len(near):
                continue
            rows = np.append(near, title)
            together = [_square(shared, rows, place)]
            together += [weights[source] * _products(values, rows) for source, values in content.items()]
            whole = sum(together) + penalty * np.eye(len(rows))
            own = np.column_stack([part[:-1, -1] for part in together])  # (n_near, n_sources)
            found = np.linalg.solve(whole[:-1, :-1], own)  # the parts add up to the whole
            positive = found.sum(axis=1) > 0
            predictors.append(near[positive])
            predicted.append(np.full(int(positive.sum()), title))
            solved.append(found[positive])
        return np.concatenate(predictors), np.concatenate(predicted), np.concatenate(solved)

    chunks, firsts = [], range(0, max(n, 1), _CHUNK)
    # One processor a chunk: matrices so small gain nothing by several, and might have to wait for them.
    with threadpool_limits(1), ThreadPoolExecutor(_THREADS) as threads:
        progress("learning what follows", 0, n)
        for first, chunk in zip(firsts, threads.map(learn, firsts), strict=True):
            chunks.append(chunk)
            progress("learning what follows", min(first + _CHUNK, n), n)
    predictors, predicted, parts = (np.concatenate(column) for column in zip(*chunks, strict=True))
    return {
        source: sp.csr_matrix((parts[:, column], (predictors, predicted)), shape=(n, n), dtype=np.float32)
        for column, source in enumerate(("loans", *content))
    }


def _values(matrix: sp.csr_matrix, rows: Int64) -> tuple[Int64, Int64, Float32]:
    """Return of some rows the values: which row (its place in `rows`), which column, and the value.

    SciPy's own slicing takes ten times as long for so few rows, most of it in checks.
    """
    first = matrix.indptr[rows].astype(np.int64)
    count = matrix.indptr[rows + 1] - first
    before = np.cumsum(count) - count
    at = np.arange(int(count.sum())) + np.repeat(first - before, count)
    return np.repeat(np.arange(len(rows)), count), matrix.indices[at], matrix.data[at]


def _square(matrix: sp.csr_matrix, rows: Int64, place: Int64) -> Float64:
    """Return some rows and the same columns, (n_rows, n_rows); `place` is -1 everywhere, and stays so."""
    place[rows] = np.arange(len(rows))
    row, column, value = _values(matrix, rows)
    column = place[column]
    place[rows] = -1
    found = np.zeros((len(rows), len(rows)))
    inside = column >= 0
    found[row[inside], column[inside]] = value[inside]
    return found


def _products(content: Content, rows: Int64) -> Float64:
    """Return the products of some rows with each other, none below 0, (n_rows, n_rows)."""
    if sp.issparse(content):
        row, column, value = _values(content, rows)
        terms, column = np.unique(column, return_inverse=True)
        some = np.zeros((len(rows), len(terms)), np.float32)
        some[row, column] = value
    else:
        some = np.asarray(content[rows], np.float32)
    return np.asarray(np.maximum(some @ some.T, 0), np.float64)
