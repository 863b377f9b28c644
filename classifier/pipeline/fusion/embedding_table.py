"""Embedding table of weighted terms: the network's first layer.

A batch touches a few thousand of several hundred thousand terms; rewriting the whole table in each step would
dominate the training time. So only touched rows are updated (“lazily”), with one second moment per row: half
the time of one per number, same accuracy.

References
----------
Kingma & Ba, Adam, ICLR 2015; lazy as in ``torch.optim.SparseAdam``. Shazeer & Stern, Adafactor, ICML 2018
(one second moment for many numbers).
"""

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

_BETA1, _BETA2, _EPSILON = 0.9, 0.99, 1e-8  # rare terms get few steps: the second moment must adapt faster


class _TermProduct(torch.autograd.Function):
    """``terms @ rows`` with scipy on the CPU, 10 to 40 times as fast as torch's sparse product."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, terms: sp.csr_matrix) -> Tensor:
        ctx.terms = terms
        return _product(terms, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return _product(ctx.terms.T.tocsr(), gradients[0]), None


def _product(terms: sp.csr_matrix, rows: Tensor) -> Tensor:
    if rows.device.type == "cpu":
        return torch.from_numpy(terms @ rows.detach().numpy())
    parts = (torch.from_numpy(a).to(rows.device) for a in (terms.indptr, terms.indices, terms.data))
    starts, columns, weights = parts
    return torch.sparse_csr_tensor(starts, columns, weights, size=terms.shape) @ rows.detach()


class EmbeddingTable(nn.Module):
    """Weighted sum of the vectors of a book's terms.

    The table starts at zero, so terms without categorised books have no effect.
    """

    def __init__(self, n_terms: int, width: int, *, optimizer: Literal["adam", "adagrad", "sgd"]) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.register_buffer("table", torch.zeros(n_terms, width))
        self.table: Tensor
        self._moments: list[Tensor] = []
        self._steps = 0
        self._touched: tuple[Tensor, Tensor] | None = None

    def forward(self, terms: sp.csr_matrix) -> Tensor:
        """Return (n_books, width) for a CSR matrix (n_books, n_terms)."""
        if not self.training:
            return _product(terms, self.table)
        touched = np.zeros(len(self.table), bool)
        touched[terms.indices] = True
        columns = np.flatnonzero(touched)  # linear; np.unique would sort
        position = np.empty(len(self.table), np.int32)
        position[columns] = np.arange(len(columns), dtype=np.int32)
        index = torch.from_numpy(columns).to(self.table.device)
        rows = self.table[index].requires_grad_()
        self._touched = (index, rows)
        shape = (terms.shape[0], len(columns))
        compact = sp.csr_matrix((terms.data, position[terms.indices], terms.indptr), shape=shape)
        return _TermProduct.apply(rows, compact)  # type: ignore[no-any-return]

    @torch.no_grad()
    def step(self, *, learning_rate: float) -> None:
        """Update the rows that the last `forward` touched."""
        if self._touched is None:
            return
        index, rows = self._touched
        self._touched = None
        gradient = rows.grad
        if gradient is None:
            return
        self._steps += 1
        direction, scale = self._direction(index, gradient)
        self.table[index] = rows.detach().addcmul_(direction, scale[:, None], value=-learning_rate)

    def finish(self) -> None:
        """Drop training state and round the table to the half precision of stored models."""
        self._moments = []
        self.table = self.table.half().float()

    def _direction(self, index: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the update direction (n_rows, width) and scale (n_rows,) of the touched rows."""
        if self.optimizer == "sgd":
            return gradient, torch.ones_like(gradient[:, 0])
        square = torch.linalg.vector_norm(gradient, dim=1).square_().div_(gradient.shape[1])
        if not self._moments:
            rows = torch.zeros_like(self.table[:, 0])
            self._moments = [rows] if self.optimizer == "adagrad" else [rows, torch.zeros_like(self.table)]
        if self.optimizer == "adagrad":
            total = self._moments[0][index] + square
            self._moments[0][index] = total
            return gradient, total.sqrt_().add_(_EPSILON).reciprocal_()
        second, first = self._moments
        square = second[index].mul_(_BETA2).add_(square, alpha=1 - _BETA2)
        mean = first[index].lerp_(gradient, 1 - _BETA1)
        second[index], first[index] = square, mean
        scale = square.div(1 - _BETA2**self._steps).sqrt_().add_(_EPSILON).reciprocal_()
        return mean, scale.div_(1 - _BETA1**self._steps)
