"""Nearest rows of a matrix."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import MiniBatchKMeans

from classifier.pipeline.records import Float32, Int64

_CHUNK = 2048  # rows a step: a few hundred MB of products at most
_BLOCK = 64  # columns
_ALL = 20_000  # rows up to which each is compared with each: more take cells
Step = Callable[[int, int], None]


def _no_step(done: int, total: int) -> None:
    """Tell nobody."""


def largest(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """Return the `k` largest values above 0 of each row; of equal ones the first."""
    kept = np.zeros(matrix.nnz, bool)
    for row in range(matrix.shape[0]):
        start, end = matrix.indptr[row : row + 2]
        kept[start:end] = _top(matrix.data[start:end], k)
    counts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], counts), shape=matrix.shape)


def nearest(
    rows: sp.csr_matrix,
    k: int,
    *,
    known: sp.csr_matrix | None = None,
    itself: Int64 | None = None,
    on_step: Step = _no_step,
) -> sp.csr_matrix:
    """Return the `k` largest products of each row with the known rows, (n, n_known), never dense as a whole.

    Parameters
    ----------
    rows : CSR matrix (n, d)
        Rows of unit length give cosines.
    k : int
    known : CSR matrix (n_known, d), optional
        Left out, the rows are compared with each other.
    itself : int array (n,), optional
        Where each row stands among the known, to be left out; -1 where it does not.
    on_step : callable
        Called with (rows done, rows in all).
    """
    n = rows.shape[0]
    if known is None:
        known, itself = rows, np.arange(n)
    elif itself is None:
        itself = np.full(n, -1)
    columns_of = known.T.tocsr()
    parts = [sp.csr_matrix((0, known.shape[0]), dtype=np.float32)]  # so that no rows are a matrix too
    for start in range(0, n, _CHUNK):
        on_step(start, n)
        products = (rows[start : start + _CHUNK] @ columns_of).tocsr()
        products.sort_indices()
        row = np.repeat(np.arange(products.shape[0]), np.diff(products.indptr))
        products.data[products.indices == itself[start + row]] = 0
        parts.append(largest(products, k))
    on_step(n, n)
    return sp.csr_matrix(sp.vstack(parts, format="csr"), dtype=np.float32)


def nearest_dense(rows: Float32, k: int, *, on_step: Step = _no_step) -> sp.csr_matrix:
    """Return the `k` largest cosines above 0 of each row with the others, (n, n); a row of zeros has none.

    Many rows are compared only with those of the same cell (k-means), so a few near ones may be missed.

    Parameters
    ----------
    rows : float array (n, d)
    k : int
    on_step : callable
        Called with (rows done, rows in all).

    References
    ----------
    Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 33(1), 2011 (cells).
    """
    n = len(rows)
    length = np.linalg.norm(rows, axis=1)
    there = np.flatnonzero(length > 0)
    unit = rows[there] / length[there, None]
    at: list[Int64] = [np.empty((2, 0), np.int64)]
    values: list[Float32] = [np.empty(0, np.float32)]
    done = 0
    for cell in _cells(unit):
        for start in range(0, len(cell), _CHUNK):
            on_step(done, len(there))
            some = cell[start : start + _CHUNK]
            cosines = unit[some] @ unit[cell].T
            cosines[np.arange(len(some)), start + np.arange(len(some))] = 0
            found = _largest_of_dense(cosines, k).tocoo()
            at.append(np.stack([there[some[found.row]], there[cell[found.col]]]))
            values.append(found.data)
            done += len(some)
    on_step(len(there), len(there))
    return sp.csr_matrix(
        (np.concatenate(values), tuple(np.concatenate(at, axis=1))), shape=(n, n), dtype=np.float32
    )


def _largest_of_dense(matrix: Float32, k: int) -> sp.csr_matrix:
    """Return the `k` largest values above 0 of each row; of equal ones the first.

    Of the maxima of many blocks, the `k` largest are values of the row, so none of those looked for is below
    the least of them: few are left to be compared.
    """
    blocks = matrix.shape[1] // _BLOCK
    least = np.zeros(len(matrix), np.float32)
    if blocks > k:
        maxima = matrix[:, : blocks * _BLOCK].reshape(len(matrix), blocks, _BLOCK).max(axis=2)
        least = np.partition(maxima, blocks - k, axis=1)[:, blocks - k]
    kept = (matrix >= least[:, None]) & (matrix > 0)
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    rows = sp.csr_matrix((matrix[kept], np.nonzero(kept)[1], starts), shape=matrix.shape)
    return largest(rows, k)


def _cells(unit: Float32) -> Iterator[Int64]:
    """Yield the rows of each cell; of few rows there is one."""
    if len(unit) <= _ALL:
        yield np.arange(len(unit))
        return
    # Cells as large as there are cells cost least.
    cells = MiniBatchKMeans(n_clusters=int(len(unit) ** 0.5), n_init=1, random_state=0).fit_predict(unit)
    order = np.argsort(cells, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)


def _top(values: Float32, k: int) -> np.ndarray:
    """Say which are the `k` largest above 0; of equal ones the first."""
    chosen = np.asarray(values > 0)
    if chosen.sum() > k:
        least = np.partition(values, len(values) - k)[len(values) - k]
        chosen = values > least
        chosen[np.flatnonzero(values == least)[: k - chosen.sum()]] = True
    return chosen
