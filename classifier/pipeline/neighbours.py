"""Nearest rows of a sparse matrix."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Int64

_CHUNK = 2048  # rows a step: a few hundred MB of products at most


def nearest(
    rows: sp.csr_matrix,
    k: int,
    *,
    known: sp.csr_matrix | None = None,
    itself: Int64 | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
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
    shape = (n, known.shape[0])
    columns_of = known.T.tocsr()
    values, columns, counts = [], [], [0]
    for start in range(0, n, _CHUNK):
        on_step(start, n)
        products = (rows[start : start + _CHUNK] @ columns_of).tocsr()
        for offset in range(products.shape[0]):
            at = slice(products.indptr[offset], products.indptr[offset + 1])
            where, what = products.indices[at], products.data[at]
            other = where != itself[start + offset]
            where, what = where[other], what[other]
            if len(what) > k:
                top = np.argpartition(-what, k)[:k]
                where, what = where[top], what[top]
            values.append(what)
            columns.append(where)
            counts.append(counts[-1] + len(what))
    on_step(n, n)
    if not values:
        return sp.csr_matrix(shape, dtype=np.float32)
    return sp.csr_matrix(
        (np.concatenate(values).astype(np.float32), np.concatenate(columns), np.array(counts)), shape=shape
    )
