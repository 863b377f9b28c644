"""Co-occurrence of titles in borrowers' histories."""

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Float64, LoanTable

_CHUNK = 2048  # titles per step: at most a few hundred MB of products


def borrowing_matrix(loans: LoanTable) -> sp.csr_matrix:
    """Return the loans as a binary matrix, (len(loans.book_ids), n_borrowers), float32."""
    shape = (len(loans.book_ids), loans.n_borrowers)
    had = sp.csr_matrix((np.ones(len(loans), np.float32), (loans.book, loans.borrower)), shape=shape)
    had.data[:] = 1
    return had


def borrower_weights(had: sp.csr_matrix, *, first_synthetic: int | None) -> Float64:
    """Return the weight of each borrower, (n_borrowers,), decreasing with the number of titles.

    One over the square root did better on a real library than 1 and than one over the number. The single pair
    of a synthetic borrower weighs as much as the average pair of identified borrowers.
    """
    titles = np.bincount(had.indices, minlength=had.shape[1]).astype(np.float64)
    weight = 1 / np.sqrt(np.maximum(titles, 1))
    if first_synthetic is not None and first_synthetic < len(weight):
        pairs = titles[:first_synthetic] * (titles[:first_synthetic] - 1)
        weight[first_synthetic:] = pairs @ weight[:first_synthetic] / pairs.sum() if pairs.sum() else 1.0
    return np.asarray(weight, np.float64)


def cooccurrence_matrix(had: sp.csr_matrix, *, weight: Float64, min_borrowers: int) -> sp.csr_matrix:
    """Return the summed weight of the borrowers that two titles share, sparse (n_titles, n_titles).

    Pairs with fewer than `min_borrowers` are suppressed for privacy; the diagonal is a title's own.
    """
    by_borrower, weighted = had.T.tocsr(), (sp.diags_array(weight.astype(np.float32)) @ had.T).tocsr()
    parts = [sp.csr_matrix((0, had.shape[0]), dtype=np.float32)]  # vstack needs at least one
    for start in range(0, had.shape[0], _CHUNK):
        rows = had[start : start + _CHUNK]
        shared_borrowers, total = (rows @ by_borrower).tocsr(), (rows @ weighted).tocsr()
        enough = shared_borrowers.data >= min_borrowers
        shared_borrowers.data[:] = enough
        shared_borrowers.eliminate_zeros()
        parts.append(total.multiply(shared_borrowers).tocsr())
    matrix = sp.vstack(parts, format="csr")
    own_weight = np.asarray(had @ weight, np.float32).ravel()
    return sp.csr_matrix(matrix + sp.diags_array(own_weight - matrix.diagonal()), dtype=np.float32)
