"""Architecture of the fusion network: encode each modality, fuse the codes, classify.

An absent modality contributes nothing, unlike one whose features are zero. Each modality also has its own
head: disagreement is evidence, and a weak modality keeps learning beside a strong one.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from classifier.pipeline.config import NetworkConfig
from classifier.pipeline.features.base import BlockSpec
from classifier.pipeline.fusion.embedding_table import EmbeddingTable
from classifier.pipeline.fusion.encoders import ImageEncoder, SpectrumEncoder
from classifier.pipeline.fusion.fusion_layers import INITIAL_BIAS, ModalityFusion

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip


class FusionModule(nn.Module):
    """Encoders, a fusion layer, and a head for the fusion and for each modality."""

    def __init__(self, specs: Mapping[str, BlockSpec], n_classes: int, settings: NetworkConfig) -> None:
        super().__init__()
        self.settings = settings
        self.n_classes = n_classes
        width = settings.width
        activation = _ACTIVATIONS[settings.activation]
        self.encoders = nn.ModuleDict({name: _encoder(spec, settings) for name, spec in specs.items()})
        self.biases = nn.ParameterDict(
            {name: nn.Parameter(torch.full((width,), INITIAL_BIAS)) for name in specs}
        )
        self.heads = nn.ModuleDict({name: nn.Linear(width, n_classes) for name in specs})
        self.combine = ModalityFusion(settings.fusion, len(specs), width, activation)
        self.activate = nn.Sequential(activation(), nn.Dropout(settings.dropout))
        layers: list[nn.Module] = []
        for units in settings.hidden:
            layers += [nn.Linear(width, units), activation(), nn.Dropout(settings.dropout)]
            width = units
        self.fused = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, values: Mapping[str, Any], present: Mapping[str, Tensor]) -> Tensor:
        """Return logits (n_books, 1 + n_modalities, n_classes), the fusion's first."""
        return self.classify_codes(
            self.encode(values, present), self._drop_modalities(present) if self.training else present
        )

    def encode(self, values: Mapping[str, Any], present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the code of each modality, (n_books, width); zero where a dense modality is absent."""
        return {name: self._encode(name, values[name], present[name]) for name in values}

    def classify_codes(
        self,
        codes: Mapping[str, Tensor],
        shown: Mapping[str, Tensor],
        *,
        heads: Collection[str] | None = None,
    ) -> Tensor:
        """Return logits as `forward` does; the fusion sees shown modalities only.

        Parameters
        ----------
        codes : (n_books, width)
            Or (n_networks, n_books, width) if this module stacks several networks.
        heads
            Modalities whose own heads are evaluated, zeros for the others; None: all.
        """
        total = self.combine(list(codes.values()), [shown[name] for name in codes])
        outputs = [self.fused(self.activate(total))]
        for name, code in codes.items():
            if heads is None or name in heads:
                outputs.append(self.heads[name](self.activate(code + self.biases[name])))
            else:
                outputs.append(torch.zeros_like(outputs[0]))
        return torch.stack(outputs, dim=-2)

    def _encode(self, name: str, values: Any, present: Tensor) -> Tensor:
        """Return (n_books, width); rows of absent books are arbitrary and never shown."""
        encoder = self.encoders[name]
        if isinstance(encoder, EmbeddingTable):
            return encoder(values)  # type: ignore[no-any-return]
        code = torch.zeros(len(present), self.settings.width, device=present.device)
        if present.any():
            code[present] = encoder(values[present])
        return code

    def _drop_modalities(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Hide random modalities of each book, but never the last one."""
        names = list(present)
        available = torch.stack([present[name] for name in names], dim=1)  # (n, modalities)
        keep = available & (
            torch.rand(available.shape, device=available.device) >= self.settings.modality_dropout
        )
        keep = torch.where(keep.any(dim=1, keepdim=True), keep, available)
        return dict(zip(names, keep.unbind(dim=1), strict=True))


def _encoder(spec: BlockSpec, settings: NetworkConfig) -> nn.Module:
    if spec.kind == "sparse":
        return EmbeddingTable(spec.shape[0], settings.width)
    if spec.kind == "image":
        return ImageEncoder(spec.shape, settings.width)
    if spec.kind == "spectrum":
        return SpectrumEncoder(spec.shape, settings.width)
    return nn.Linear(spec.shape[0], settings.width)
