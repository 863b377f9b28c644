"""The fusion network: each modality is encoded, the encodings are added, and the sum names the category.

An absent modality adds nothing, so it can be told from one whose features are zero, and each modality
also names the category alone: the disagreement is evidence, and a weak modality goes on learning beside
a strong one.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from classifier.pipeline.combination import START, Combination
from classifier.pipeline.config import NetworkConfig
from classifier.pipeline.encoders import ImageEncoder, SpectrumEncoder
from classifier.pipeline.modality import Block, BlockSpec
from classifier.pipeline.records import Bool, Float32, Int64
from classifier.pipeline.term_table import TermTable

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip
PREDICT_BATCH = 2048
"""Books read at a time."""

Codes = dict[str, Float32]
"""Of each modality (n_books, width)."""


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


class FusionNetwork:
    """Scikit-learn-style estimator round `FusionModule`.

    Parameters
    ----------
    settings : NetworkConfig
    seed : int
        Same seed, books and machine give the same network.
    """

    def __init__(self, *, settings: NetworkConfig, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        kinship: Float32 | None = None,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Self:
        """Learn the categories `y` (n_books,) of the books in `blocks`.

        Parameters
        ----------
        blocks : mapping of str to Block
            With the same books in the same order.
        y : int array (n_books,)
            Index of the category, 0 to `n_classes` - 1.
        n_classes : int
        kinship : float array (n_classes, n_classes), optional
            How the doubt about a category is shared out (`tree.kinship`); left out, equally.
        on_step : callable
            Called with (steps done, steps in all).
        """
        rng = np.random.default_rng(self.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with one_thread(), torch.random.fork_rng():  # the caller's random numbers stay as they were
            torch.manual_seed(self.seed)
            self.module_ = FusionModule({n: b.spec for n, b in blocks.items()}, n_classes, self.settings)
            self._train(self.module_.to(device), blocks, y, kinship, rng, on_step)
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
        with one_thread(), torch.inference_mode():
            for start in range(0, n_books, PREDICT_BATCH):
                rows = slice(start, start + PREDICT_BATCH)
                part = blocks if n_books <= PREDICT_BATCH else _rows(blocks, rows)
                for name, code in self.module_.encode(*_tensors(part, device)).items():
                    codes[name][rows] = code.cpu().numpy()
        return codes

    def read(self, codes: Codes, shown: Bool, *, alone: Collection[str] | None = None) -> Float32:
        """Return log probabilities (n_books, 1 + n_modalities, n_classes), the fusion's first.

        Parameters
        ----------
        codes : dict of str to float32 array (n_books, width)
            As `encode` gives them.
        shown : bool array (n_books, n_modalities)
            What the fusion may see of each book. What is said of a modality that the book has not means
            nothing.
        alone : collection of str, optional
            As for `FusionModule.read`.
        """
        return read(self.module_, codes, shown, alone=alone)

    def to(self, device: str) -> Self:
        """Move the fitted network to a device for prediction."""
        self.module_ = self.module_.to(device)
        return self

    def _train(
        self,
        module: FusionModule,
        blocks: Mapping[str, Block],
        y: Int64,
        kinship: Float32 | None,
        rng: np.random.Generator,
        on_step: Callable[[int, int], None],
    ) -> None:
        settings = self.settings
        device = next(module.parameters()).device
        batch = settings.batch or int(np.clip(len(y) // 20, 16, 256))
        epochs = settings.epochs or min(40, 4 + 20_000 // len(y))
        total = epochs * -(-len(y) // batch)
        optimizer = _dense_optimizer(module, settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
        targets = torch.from_numpy(y).to(device)
        books = torch.bincount(targets, minlength=module.n_classes).clamp(min=1)
        weights = (len(y) / (module.n_classes * books)) ** settings.balance
        answers = _answers(module.n_classes, kinship, settings.label_smoothing).to(device)
        module.train()
        step = 0
        for _epoch in range(epochs):
            order = rng.permutation(len(y))
            for start in range(0, len(y), batch):
                rows = np.sort(order[start : start + batch])
                values, present = _tensors(_rows(blocks, rows), device)
                values = {name: _thin(v, settings.input_dropout, rng) for name, v in values.items()}
                logits = module(values, present)
                loss = self._loss(logits, answers[targets[rows]], present, weights[targets[rows]])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                for table in self._tables():
                    table.step(learning_rate=settings.learning_rate * (1 - step / total))
                schedule.step()
                step += 1
                on_step(step, total)

    def _loss(
        self, logits: Tensor, answers: Tensor, present: Mapping[str, Tensor], weights: Tensor
    ) -> Tensor:
        """Return the loss of the fusion's answer and of each modality's, weighted by book."""
        likely = -(answers[:, None] * log_softmax(logits, dim=2)).sum(dim=2)  # (n_books, 1 + n_modalities)
        loss = (likely[:, 0] * weights).sum() / weights.sum()
        for position, there in enumerate(present.values(), start=1):
            if there.any():
                alone = (likely[there, position] * weights[there]).sum() / weights[there].sum()
                loss = loss + self.settings.modality_loss * alone
        return loss

    def _tables(self) -> list[TermTable]:
        return [encoder for encoder in self.module_.encoders.values() if isinstance(encoder, TermTable)]


def read(module: FusionModule, codes: Codes, shown: Bool, *, alone: Collection[str] | None = None) -> Float32:
    """Return log probabilities as `FusionNetwork.read` does, or of several networks side by side.

    Parameters
    ----------
    module : FusionModule
    codes : dict of str to float32 array ([n_networks,] n_books, width)
    shown : bool array (n_books, n_modalities)
    alone : collection of str, optional

    Returns
    -------
    float32 array ([n_networks,] n_books, 1 + n_modalities, n_classes)
    """
    device = next(module.parameters()).device
    networks = next(iter(codes.values())).shape[:-2]
    result = np.zeros((*networks, len(shown), 1 + len(codes), module.n_classes), np.float32)
    with one_thread(), torch.inference_mode():
        for start in range(0, len(shown), PREDICT_BATCH):
            rows = slice(start, start + PREDICT_BATCH)
            part = {name: torch.from_numpy(code[..., rows, :]).to(device) for name, code in codes.items()}
            seen = dict(zip(codes, torch.from_numpy(shown[rows]).to(device).unbind(dim=1), strict=True))
            said = torch.log_softmax(module.read(part, seen, alone=alone), dim=-1)
            result[..., rows, :, :] = said.cpu().numpy()
    return result


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: its operations here are small.

    A second thread brings a tenth, but where another process holds a core, the threads wait for each other
    at every operation: 40 times as slow on two cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _answers(n_classes: int, kinship: Float32 | None, smoothing: float) -> Tensor:
    """Return what to answer for a book of each category, (n_classes, n_classes)."""
    doubt = torch.full((n_classes, n_classes), 1 / n_classes) if kinship is None else torch.tensor(kinship)
    return (1 - smoothing) * torch.eye(n_classes) + smoothing * doubt


def _encoder(spec: BlockSpec, settings: NetworkConfig) -> nn.Module:
    if spec.kind == "sparse":
        return TermTable(spec.shape[0], settings.width, optimizer=settings.optimizer)
    if spec.kind == "image":
        return ImageEncoder(spec.shape, settings.width)
    if spec.kind == "spectrum":
        return SpectrumEncoder(spec.shape, settings.width)
    return nn.Sequential(nn.Dropout(settings.vector_dropout), nn.Linear(spec.shape[0], settings.width))


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


def _thin(values: Any, share: float, rng: np.random.Generator) -> Any:
    """Leave out a share of a sparse block's terms and scale up the rest (inverted dropout)."""
    if isinstance(values, Tensor) or not share:
        return values
    keep = rng.random(values.nnz, dtype=np.float32) >= share
    values.data = values.data * keep / np.float32(1 - share)
    return values


def _dense_optimizer(module: FusionModule, settings: NetworkConfig) -> torch.optim.Optimizer:
    # Term tables are buffers with an update of their own, so parameters() are the dense ones.
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.AdamW, "adagrad": torch.optim.Adagrad, "sgd": torch.optim.SGD,
    }  # fmt: skip
    return kinds[settings.optimizer](
        module.parameters(), lr=settings.dense_learning_rate, weight_decay=settings.weight_decay
    )
