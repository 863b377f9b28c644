"""How often two titles were borrowed by the same people."""

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Float64, LoanTable

_CHUNK = 2048  # titles a step: what a step multiplies is some hundred MB at most


def readers(loans: LoanTable) -> sp.csr_matrix:
    """Return who had what, (len(loans.book_ids), n_borrowers), float32: 1 or nothing."""
    shape = (len(loans.book_ids), loans.n_borrowers)
    had = sp.csr_matrix((np.ones(len(loans), np.float32), (loans.book, loans.borrower)), shape=shape)
    had.data[:] = 1
    return had


def weights(had: sp.csr_matrix, *, known: int | None) -> Float64:
    """Return what each borrower says of two titles, (n_borrowers,): less, the more titles they had.

    One over the square root, which on a real library was better than one and than one over the number. A
    made-up borrower, of whom one pair is left, says as much of it as the others do of a pair on average.

    Parameters
    ----------
    had : CSR matrix (n_titles, n_borrowers)
    known : int or None
        Borrowers from this number on are made up: see `LoanTable.known`.
    """
    titles = np.bincount(had.indices, minlength=had.shape[1]).astype(np.float64)
    weight = 1 / np.sqrt(np.maximum(titles, 1))
    if known is not None and known < len(weight):
        pairs = titles[:known] * (titles[:known] - 1)
        weight[known:] = pairs @ weight[:known] / pairs.sum() if pairs.sum() else 1.0
    return np.asarray(weight, np.float64)


def borrowed_together(had: sp.csr_matrix, *, weight: Float64, least: int) -> sp.csr_matrix:
    """Return the summed weight of the borrowers that two titles share, (n_titles, n_titles), never dense.

    What fewer than `least` borrowers share is nobody's business and left out; on the diagonal is the weight
    of a title's own borrowers.

    Parameters
    ----------
    had : CSR matrix (n_titles, n_borrowers)
    weight : float array (n_borrowers,)
    least : int
    """
    of, weighed = had.T.tocsr(), (sp.diags_array(weight.astype(np.float32)) @ had.T).tocsr()
    parts = [sp.csr_matrix((0, had.shape[0]), dtype=np.float32)]  # so that no titles are a matrix too
    for start in range(0, had.shape[0], _CHUNK):
        rows = had[start : start + _CHUNK]
        count, total = (rows @ of).tocsr(), (rows @ weighed).tocsr()
        enough = count.data >= least
        count.data[:] = enough
        count.eliminate_zeros()
        parts.append(total.multiply(count).tocsr())
    found = sp.vstack(parts, format="csr")
    own = np.asarray(had @ weight, np.float32).ravel()
    return sp.csr_matrix(found + sp.diags_array(own - found.diagonal()), dtype=np.float32)
