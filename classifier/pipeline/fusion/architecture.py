"""The architecture: each modality is encoded, the encodings are added, and the sum names the category.

An absent modality adds nothing, so it can be told from one whose features are zero, and each modality
also names the category alone: the disagreement is evidence, and a weak modality goes on learning beside
a strong one.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from classifier.pipeline.config import NetworkConfig
from classifier.pipeline.features.base import BlockSpec
from classifier.pipeline.fusion.embedding_table import TermTable
from classifier.pipeline.fusion.encoders import ImageEncoder, SpectrumEncoder
from classifier.pipeline.fusion.fusion_layers import START, Combination

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip


class FusionModule(nn.Module):
    """Encoders, their combination, and one output for the fusion and for each modality."""

    def __init__(self, specs: Mapping[str, BlockSpec], n_classes: int, settings: NetworkConfig) -> None:
        super().__init__()
        self.settings = settings
        self.n_classes = n_classes
        width = settings.width
        activation = _ACTIVATIONS[settings.activation]
        self.encoders = nn.ModuleDict({name: _encoder(spec, settings) for name, spec in specs.items()})
        self.biases = nn.ParameterDict({name: nn.Parameter(torch.full((width,), START)) for name in specs})
        self.heads = nn.ModuleDict({name: nn.Linear(width, n_classes) for name in specs})
        self.combine = Combination(settings.fusion, len(specs), width, activation)
        self.activate = nn.Sequential(activation(), nn.Dropout(settings.dropout))
        layers: list[nn.Module] = []
        for after in settings.hidden:
            layers += [nn.Linear(width, after), activation(), nn.Dropout(settings.dropout)]
            width = after
        self.fused = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, values: Mapping[str, Any], present: Mapping[str, Tensor]) -> Tensor:
        """Return logits (n_books, 1 + n_modalities, n_classes), the fusion's first.

        Parameters
        ----------
        values : mapping of str to CSR matrix or tensor (n_books, d)
        present : mapping of str to bool tensor (n_books,)
        """
        return self.read(self.encode(values, present), self._shown(present) if self.training else present)

    def encode(self, values: Mapping[str, Any], present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the code of each modality given, (n_books, width); zero where a dense one is absent."""
        return {name: self._encode(name, values[name], present[name]) for name in values}

    def read(
        self,
        codes: Mapping[str, Tensor],
        shown: Mapping[str, Tensor],
        *,
        alone: Collection[str] | None = None,
    ) -> Tensor:
        """Return logits as `forward` does; the fusion sees of each book what is shown of it.

        Parameters
        ----------
        codes : mapping of str to tensor (n_books, width)
            By several networks (n_networks, n_books, width), where this is several side by side.
        shown : mapping of str to bool tensor (n_books,)
        alone : collection of str, optional
            The modalities whose own answers are wanted, zeros being returned for the others; left out, all.
        """
        total = self.combine(list(codes.values()), [shown[name] for name in codes])
        outputs = [self.fused(self.activate(total))]
        for name, code in codes.items():
            if alone is None or name in alone:
                outputs.append(self.heads[name](self.activate(code + self.biases[name])))
            else:
                outputs.append(torch.zeros_like(outputs[0]))
        return torch.stack(outputs, dim=-2)

    def _encode(self, name: str, values: Any, present: Tensor) -> Tensor:
        """Return (n_books, width); what an absent row gives is never shown."""
        encoder = self.encoders[name]
        if isinstance(encoder, TermTable):
            return encoder(values)  # type: ignore[no-any-return]
        code = torch.zeros(len(present), self.settings.width, device=present.device)
        if present.any():
            code[present] = encoder(values[present])
        return code

    def _shown(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Hide each modality of some books from the fusion, but never the last one."""
        names = list(present)
        there = torch.stack([present[name] for name in names], dim=1)  # (n, modalities)
        keep = there & (torch.rand(there.shape, device=there.device) >= self.settings.modality_dropout)
        keep = torch.where(keep.any(dim=1, keepdim=True), keep, there)
        return dict(zip(names, keep.unbind(dim=1), strict=True))


def _encoder(spec: BlockSpec, settings: NetworkConfig) -> nn.Module:
    if spec.kind == "sparse":
        return TermTable(spec.shape[0], settings.width, optimizer=settings.optimizer)
    if spec.kind == "image":
        return ImageEncoder(spec.shape, settings.width)
    if spec.kind == "spectrum":
        return SpectrumEncoder(spec.shape, settings.width)
    return nn.Sequential(nn.Dropout(settings.vector_dropout), nn.Linear(spec.shape[0], settings.width))
