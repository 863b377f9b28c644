"""Embedding table of weighted terms: the network's first layer.

A batch touches a few thousand of several hundred thousand terms; rewriting the whole table in each step would
dominate the training time. So only touched rows are updated (“lazily”).

Each row is divided by the root of the sum of its squared gradients (Adagrad), over the steps and the books of
each batch. So rare terms take large steps. Adam with one second moment per row took 1.7 times as long; its
momentum gained nothing, and on Chinese books and on those with loans it was half a point less accurate.

References
----------
Duchi, Hazan & Singer, Adaptive Subgradient Methods, JMLR 12, 2011 (Adagrad). Shazeer & Stern, Adafactor, ICML
2018 (one second moment for many numbers).
"""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

_EPSILON = 1e-12


def _product(terms: sp.csr_matrix, rows: Tensor) -> Tensor:
    """Return ``terms @ rows``; scipy and torch's sparse product take three times as long."""
    if not terms.nnz:
        return rows.new_zeros(terms.shape[0], rows.shape[1])
    columns, starts, weights = (
        torch.from_numpy(array).to(rows.device) for array in (terms.indices, terms.indptr[:-1], terms.data)
    )
    return embedding_bag(columns, rows, starts, mode="sum", per_sample_weights=weights)


class EmbeddingTable(nn.Module):
    """Weighted sum of the vectors of a book's terms.

    The table starts at zero, so terms without categorised books have no effect.
    """

    def __init__(self, n_terms: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(n_terms, width))
        self.table: Tensor
        self._squares = np.empty(0, np.float32)  # by term, during training
        self._last: tuple[sp.csr_matrix, Tensor] | None = None

    def forward(self, terms: sp.csr_matrix) -> Tensor:
        """Return (n_books, width) for a CSR matrix (n_books, n_terms)."""
        codes = _product(terms, self.table)
        if self.training:
            self._last = terms, codes.requires_grad_()
        return codes

    @torch.no_grad()
    def step(self, *, learning_rate: float) -> None:
        """Update the rows of the terms that the last `forward` was given."""
        if self._last is None:
            return
        (terms, codes), self._last = self._last, None
        if codes.grad is None:
            return
        by_term = terms.T.tocsr()
        rows = np.flatnonzero(np.diff(by_term.indptr))
        by_term = by_term[rows]
        if not len(self._squares):
            self._squares = np.zeros(len(self.table), np.float32)
        self._squares[rows] += by_term.power(2) @ codes.grad.square().mean(dim=1).cpu().numpy()
        scale = learning_rate / (np.sqrt(self._squares[rows]) + _EPSILON)
        by_term.data *= np.repeat(-scale, np.diff(by_term.indptr))
        index = torch.from_numpy(rows).to(self.table.device)
        self.table.index_add_(0, index, _product(by_term, codes.grad))

    def finish(self) -> None:
        """Drop training state and round the table to the half precision of stored models."""
        self._squares = np.empty(0, np.float32)
        self.table = self.table.half().float()
