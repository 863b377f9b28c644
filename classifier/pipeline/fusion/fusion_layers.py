"""Fusion layers over modality codes, and stacking of several networks.

References
----------
Gates: Arevalo et al., Gated Multimodal Units for Information Fusion, ICLR 2017 workshop. Attention over a few
inputs: Yang et al., Hierarchical Attention Networks, NAACL 2016.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

Kind = Literal["sum", "concat", "gated", "attention"]
M = TypeVar("M", bound=nn.Module)
INITIAL_BIAS = 0.1
"""Of biases before an activation: embedding tables start at zero, where a ReLU would never start to learn."""


class ModalityFusion(nn.Module):
    """Fuse codes (n_books, n_modalities, width) into (n_books, width).

    Parameters
    ----------
    kind
        "sum"; "concat", a linear layer over the concatenation and the activation; "gated", a gate per number,
        computed from all codes; "attention", a weight per code.
    """

    def __init__(
        self, kind: Kind, n_modalities: int, width: int, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.kind = kind
        self.bias = nn.Parameter(torch.full((width,), INITIAL_BIAS))
        if kind == "concat":
            self.layer = nn.Sequential(activation(), nn.Linear(n_modalities * width, width))
        elif kind == "gated":
            self.layer = nn.Sequential(nn.Linear(n_modalities * width, n_modalities * width), nn.Sigmoid())
        elif kind == "attention":
            self.layer = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def forward(self, codes: Sequence[Tensor], shown: Sequence[Tensor]) -> Tensor:
        """Return (..., n_books, width) from codes of that shape, ignoring codes not `shown` (n_books,)."""
        seen = torch.stack(list(shown), dim=1)[:, :, None]  # (n, modalities, 1)
        stacked = torch.stack(list(codes), dim=-2) * seen  # (..., n, modalities, width)
        if self.kind == "concat":
            return self.layer((stacked + INITIAL_BIAS).flatten(-2)) + self.bias  # type: ignore[no-any-return]
        if self.kind == "gated":
            stacked = stacked * 2 * self.layer(stacked.flatten(-2)).view_as(stacked)  # starts as the sum
        elif self.kind == "attention":
            scores = self.layer(stacked).masked_fill(~seen, -1e9)
            stacked = stacked * torch.softmax(scores, dim=-2) * seen.sum(dim=1, keepdim=True)
        return stacked.sum(dim=-2) + self.bias


class _Linears(nn.Module):
    """The same layer of several networks, (n_networks, n_books, d) to (n_networks, n_books, width)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.stack([layer.weight.detach().T for layer in layers]))
        biases: list[Tensor] = [
            layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
            for layer in layers
        ]
        self.register_buffer("biases", torch.stack(biases)[:, None])
        self.weights: Tensor
        self.biases: Tensor

    def forward(self, values: Tensor) -> Tensor:
        flat = torch.baddbmm(self.biases, values.flatten(1, -2), self.weights)
        return flat.view(*values.shape[:-1], -1)


def stack_modules(modules: Sequence[M], *, exclude: str) -> M:
    """Return a module that evaluates several modules of one structure at once, each on its own values.

    With few books, an operation costs as much for one network as for all. Later changes have no effect. The
    modules consist of linear layers and biases.

    Parameters
    ----------
    exclude
        Submodule to omit, too large or of another kind.
    """
    memo: dict[int, Any] = {id(modules[0].get_submodule(exclude)): nn.ModuleDict()}
    stacked = deepcopy(modules[0], memo).requires_grad_(requires_grad=False)
    for path, part in list(stacked.named_modules()):
        same = [module.get_submodule(path) for module in modules]
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                setattr(part, name, _Linears([getattr(module, name) for module in same]))
        if not isinstance(part, nn.Linear):
            for name, bias in part.named_parameters(recurse=False):
                bias.data = torch.stack([getattr(module, name).detach() for module in same])[:, None]
    return stacked
