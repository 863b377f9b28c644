"""How the encodings of a book's modalities become one.

References
----------
Gates: Arevalo et al., Gated Multimodal Units for Information Fusion, ICLR 2017 workshop.
Attention over a few inputs: Yang et al., Hierarchical Attention Networks, NAACL 2016.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["sum", "concat", "gated", "attention"]
START = 0.1
"""Of every bias before an activation: term tables start at zero, where a ReLU would never start to learn."""


class Combination(nn.Module):
    """Combines codes (n_books, n_modalities, width) into one (n_books, width).

    Parameters
    ----------
    kind : {"sum", "concat", "gated", "attention"}
        Add up; learn a layer over all side by side; weigh each number of each code by what all codes say;
        or weigh each code as a whole.
    n_modalities, width : int
    activation : callable
        Makes the activation of the layer that ``concat`` adds.
    """

    def __init__(
        self, kind: Kind, n_modalities: int, width: int, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.kind = kind
        self.bias = nn.Parameter(torch.full((width,), START))
        if kind == "concat":
            self.layer = nn.Sequential(activation(), nn.Linear(n_modalities * width, width))
        elif kind == "gated":
            self.layer = nn.Sequential(nn.Linear(n_modalities * width, n_modalities * width), nn.Sigmoid())
        elif kind == "attention":
            self.layer = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def forward(self, codes: Sequence[Tensor], shown: Sequence[Tensor]) -> Tensor:
        """Return (n_books, width).

        Parameters
        ----------
        codes : sequence of float tensor (n_books, width)
            One a modality.
        shown : sequence of bool tensor (n_books,)
            A modality that is not shown says nothing, whatever its code.
        """
        seen = torch.stack(list(shown), dim=1)[:, :, None]  # (n, modalities, 1)
        stacked = torch.stack(list(codes), dim=1) * seen  # (n, modalities, width)
        if self.kind == "concat":
            return self.layer((stacked + START).flatten(1)) + self.bias  # type: ignore[no-any-return]
        if self.kind == "gated":
            stacked = stacked * 2 * self.layer(stacked.flatten(1)).view_as(stacked)  # starts as the sum
        elif self.kind == "attention":
            scores = self.layer(stacked).masked_fill(~seen, -1e9)
            stacked = stacked * torch.softmax(scores, dim=1) * seen.sum(dim=1, keepdim=True)
        return stacked.sum(dim=1) + self.bias
