"""Nearest rows of a matrix."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import MiniBatchKMeans

from classifier.pipeline.records import Float32, Int64

_CHUNK = 2048  # rows per step: at most a few hundred MB of products
_BLOCK = 64  # columns
_MAX_EXHAUSTIVE = 20_000  # rows up to which all pairs are compared
Step = Callable[[int, int], None]


def _no_step(done: int, total: int) -> None:
    """Ignore progress."""


def largest(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """Return the `k` largest values above 0 of each row; ties go to the first."""
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
    self_index: Int64 | None = None,
    on_step: Step = _no_step,
) -> sp.csr_matrix:
    """Return the `k` largest products of each row with the known rows, sparse (n, n_known).

    Parameters
    ----------
    rows : (n, d)
        Rows of unit length give cosines.
    known : (n_known, d)
        None: compare `rows` with each other.
    self_index : (n,)
        Known row to exclude, -1 for none.
    """
    n = rows.shape[0]
    if known is None:
        known, self_index = rows, np.arange(n)
    elif self_index is None:
        self_index = np.full(n, -1)
    columns_of = known.T.tocsr()
    parts = [sp.csr_matrix((0, known.shape[0]), dtype=np.float32)]  # vstack needs at least one
    for start in range(0, n, _CHUNK):
        on_step(start, n)
        products = (rows[start : start + _CHUNK] @ columns_of).tocsr()
        products.sort_indices()
        row = np.repeat(np.arange(products.shape[0]), np.diff(products.indptr))
        products.data[products.indices == self_index[start + row]] = 0
        parts.append(largest(products, k))
    on_step(n, n)
    return sp.csr_matrix(sp.vstack(parts, format="csr"), dtype=np.float32)


def nearest_dense(rows: Float32, k: int, *, on_step: Step = _no_step) -> sp.csr_matrix:
    """Return the `k` largest positive cosines of each row with the others, (n, n); a zero row has none.

    Large inputs are compared within k-means cells only, so a few neighbours may be missed: Jégou, Douze and
    Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 33(1), 2011.
    """
    n = len(rows)
    length = np.linalg.norm(rows, axis=1)
    nonzero = np.flatnonzero(length > 0)
    unit = rows[nonzero] / length[nonzero, None]
    positions: list[Int64] = [np.empty((2, 0), np.int64)]
    values: list[Float32] = [np.empty(0, np.float32)]
    done = 0
    for cell in _cells(unit):
        for start in range(0, len(cell), _CHUNK):
            on_step(done, len(nonzero))
            rows_of_chunk = cell[start : start + _CHUNK]
            cosines = unit[rows_of_chunk] @ unit[cell].T
            cosines[np.arange(len(rows_of_chunk)), start + np.arange(len(rows_of_chunk))] = 0
            top = _largest_of_dense(cosines, k).tocoo()
            positions.append(np.stack([nonzero[rows_of_chunk[top.row]], nonzero[cell[top.col]]]))
            values.append(top.data)
            done += len(rows_of_chunk)
    on_step(len(nonzero), len(nonzero))
    return sp.csr_matrix(
        (np.concatenate(values), tuple(np.concatenate(positions, axis=1))), shape=(n, n), dtype=np.float32
    )


def _largest_of_dense(matrix: Float32, k: int) -> sp.csr_matrix:
    """Return the result of `largest` for a dense matrix.

    The k-th largest block maximum is a lower bound of the k-th largest value, so few candidates are sorted.
    """
    blocks = matrix.shape[1] // _BLOCK
    lower_bound = np.zeros(len(matrix), np.float32)
    if blocks > k:
        maxima = matrix[:, : blocks * _BLOCK].reshape(len(matrix), blocks, _BLOCK).max(axis=2)
        lower_bound = np.partition(maxima, blocks - k, axis=1)[:, blocks - k]
    candidates = (matrix >= lower_bound[:, None]) & (matrix > 0)
    starts = np.concatenate([[0], np.cumsum(candidates.sum(axis=1))])
    rows = sp.csr_matrix((matrix[candidates], np.nonzero(candidates)[1], starts), shape=matrix.shape)
    return largest(rows, k)


def _cells(unit: Float32) -> Iterator[Int64]:
    if len(unit) <= _MAX_EXHAUSTIVE:
        yield np.arange(len(unit))
        return
    # Square root of n: as many cells as rows per cell cost least.
    cells = MiniBatchKMeans(n_clusters=int(len(unit) ** 0.5), n_init=1, random_state=0).fit_predict(unit)
    order = np.argsort(cells, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)


def _top(values: Float32, k: int) -> np.ndarray:
    """Return a mask of the `k` largest values above 0; ties go to the first."""
    chosen = np.asarray(values > 0)
    if chosen.sum() > k:
        kth = np.partition(values, len(values) - k)[len(values) - k]
        chosen = values > kth
        chosen[np.flatnonzero(values == kth)[: k - chosen.sum()]] = True
    return chosen
