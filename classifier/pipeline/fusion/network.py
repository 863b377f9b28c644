"""Fusion network: training, and classification of codes by one or several networks."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from classifier.pipeline.config import NetworkConfig
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.architecture import FusionModule
from classifier.pipeline.fusion.embedding_table import EmbeddingTable
from classifier.pipeline.records import Bool, Float32, Int64
from classifier.pipeline.torch_threads import single_threaded

_BATCH = 2048  # books per forward pass

Codes = dict[str, Float32]
"""By modality, (n_books, width)."""


class FusionNetwork:
    """Estimator around `FusionModule`; the same seed, books and machine give the same network."""

    def __init__(self, *, settings: NetworkConfig, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        smoothing_matrix: Float32 | None = None,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Self:
        """Learn the categories of books.

        Parameters
        ----------
        smoothing_matrix : (n_classes, n_classes)
            Distribution of label smoothing (`hierarchical_smoothing`); None: uniform.
        """
        rng = np.random.default_rng(self.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with single_threaded(), torch.random.fork_rng():  # leave the caller's random state unchanged
            torch.manual_seed(self.seed)
            self.module_ = FusionModule({n: b.spec for n, b in blocks.items()}, n_classes, self.settings)
            self._train(self.module_.to(device), blocks, y, smoothing_matrix, rng, on_step)
        self.module_ = self.module_.cpu().eval()
        for table in self._tables():
            table.finish()
        return self

    def encode(self, blocks: Mapping[str, Block]) -> Codes:
        """Return the code of each modality, (n_books, width), on the CPU."""
        device = next(self.module_.parameters()).device
        n_books = len(next(iter(blocks.values())).present)
        codes = {name: np.zeros((n_books, self.settings.width), np.float32) for name in blocks}
        blocks = {name: block for name, block in blocks.items() if block.present.any()}
        with single_threaded(), torch.inference_mode():
            for rows in _batches(n_books):
                part = blocks if n_books <= _BATCH else _rows(blocks, rows)
                for name, code in self.module_.encode(*_tensors(part, device)).items():
                    codes[name][rows] = code.cpu().numpy()
        return codes

    def classify_codes(self, codes: Codes, shown: Bool, *, heads: Collection[str] | None = None) -> Float32:
        """Return log probabilities (n_books, 1 + n_modalities, n_classes), the fusion's first.

        The fusion sees the `shown` modalities. Outputs of absent modalities are meaningless.
        """
        log_probabilities = np.zeros((len(shown), 1 + len(codes), self.module_.n_classes), np.float32)
        for rows, values in classify_codes(self.module_, [codes], shown, heads=heads):
            log_probabilities[rows] = values[0]
        return log_probabilities

    def to(self, device: str) -> Self:
        """Move the fitted network to a device for prediction."""
        self.module_ = self.module_.to(device)
        return self

    def _train(
        self,
        module: FusionModule,
        blocks: Mapping[str, Block],
        y: Int64,
        smoothing_matrix: Float32 | None,
        rng: np.random.Generator,
        on_step: Callable[[int, int], None],
    ) -> None:
        settings = self.settings
        device = next(module.parameters()).device
        batch = settings.batch or int(np.clip(len(y) // 20, 32, 256))
        epochs = settings.epochs or min(10, 4 + 10_000 // len(y))
        total = epochs * -(-len(y) // batch)
        # Embedding tables are buffers with their own update, so parameters() are the dense ones.
        optimizer = torch.optim.AdamW(
            module.parameters(),
            lr=settings.dense_learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
        targets = torch.from_numpy(y).to(device)
        books = torch.bincount(targets, minlength=module.n_classes).clamp(min=1)
        weights = (len(y) / (module.n_classes * books)) ** settings.balance
        soft_targets = _soft_targets(module.n_classes, smoothing_matrix, settings.label_smoothing).to(device)
        module.train()
        step = 0
        for _epoch in range(epochs):
            order = rng.permutation(len(y))
            for start in range(0, len(y), batch):
                rows = np.sort(order[start : start + batch])
                values, present = _tensors(_rows(blocks, rows), device)
                values = {name: _drop_inputs(v, settings, rng) for name, v in values.items()}
                logits = module(values, present)
                loss = self._loss(logits, soft_targets[targets[rows]], present, weights[targets[rows]])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                for table in self._tables():
                    table.step(learning_rate=settings.learning_rate * (1 - step / total))
                schedule.step()
                step += 1
                on_step(step, total)

    def _loss(
        self, logits: Tensor, soft_targets: Tensor, present: Mapping[str, Tensor], weights: Tensor
    ) -> Tensor:
        losses = -(soft_targets[:, None] * log_softmax(logits, dim=2)).sum(
            dim=2
        )  # (n_books, 1 + n_modalities)
        loss = (losses[:, 0] * weights).sum() / weights.sum()
        for position, has in enumerate(present.values(), start=1):
            if has.any():
                head_loss = (losses[has, position] * weights[has]).sum() / weights[has].sum()
                loss = loss + self.settings.modality_loss * head_loss
        return loss

    def _tables(self) -> list[EmbeddingTable]:
        return [encoder for encoder in self.module_.encoders.values() if isinstance(encoder, EmbeddingTable)]


def classify_codes(
    module: FusionModule, codes: Sequence[Codes], shown: Bool, *, heads: Collection[str] | None = None
) -> Iterator[tuple[slice, Float32]]:
    """Yield batches of log probabilities (n_networks, n_batch, 1 + n_modalities, n_classes)."""
    device = next(module.parameters()).device
    for rows in _batches(len(shown)):
        with single_threaded(), torch.inference_mode():
            part = {
                name: torch.from_numpy(np.stack([network[name][rows] for network in codes])).to(device)
                for name in codes[0]
            }
            visible = dict(zip(part, torch.from_numpy(shown[rows]).to(device).unbind(dim=1), strict=True))
            log_probabilities = (
                log_softmax(module.classify_codes(part, visible, heads=heads), dim=-1).cpu().numpy()
            )
        yield rows, log_probabilities


def _soft_targets(n_classes: int, smoothing_matrix: Float32 | None, smoothing: float) -> Tensor:
    """Return the target distribution of each category, (n_classes, n_classes)."""
    noise = (
        torch.full((n_classes, n_classes), 1 / n_classes)
        if smoothing_matrix is None
        else torch.tensor(smoothing_matrix)
    )
    return (1 - smoothing) * torch.eye(n_classes) + smoothing * noise


def _batches(n_books: int) -> Iterator[slice]:
    return (slice(start, start + _BATCH) for start in range(0, n_books, _BATCH))


def _rows(blocks: Mapping[str, Block], rows: Any) -> dict[str, Block]:
    return {
        name: Block(values=block.values[rows], present=block.present[rows], spec=block.spec)
        for name, block in blocks.items()
    }


def _tensors(blocks: Mapping[str, Block], device: torch.device) -> tuple[dict[str, Any], dict[str, Tensor]]:
    values, present = {}, {}
    for name, block in blocks.items():
        sparse = block.spec.kind == "sparse"
        values[name] = block.values if sparse else torch.from_numpy(block.values).to(device)
        present[name] = torch.from_numpy(block.present).to(device)
    return values, present


def _drop_inputs(values: Any, settings: NetworkConfig, rng: np.random.Generator) -> Any:
    """Drop a share of the terms or numbers of a block and scale up the rest (inverted dropout)."""
    if not isinstance(values, Tensor):
        keep = rng.random(values.nnz, dtype=np.float32) >= settings.input_dropout
        starts = np.concatenate([[0], np.cumsum(keep, dtype=values.indptr.dtype)])[values.indptr]
        kept = values.data[keep] / np.float32(1 - settings.input_dropout)
        return sp.csr_matrix((kept, values.indices[keep], starts), shape=values.shape)
    if not values.is_floating_point():  # pixels and levels
        return values
    # Drawn by numpy, in a third of the time of torch.
    keep = rng.random(values.shape, dtype=np.float32) >= settings.vector_dropout
    return values * torch.from_numpy(keep).to(values.device) / (1 - settings.vector_dropout)
