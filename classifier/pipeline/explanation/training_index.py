"""Index of the training books, to name the books behind a suggestion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from classifier.pipeline.features.base import Block, Tensors
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import Float32, Int32, Int64

_CHUNK = 512  # books compared at a time: 100 MB of similarities with 50,000 in the index


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingIndex:
    """Ids of all books at `fit`, in the order that links refer to, and codes of the categorised ones.

    Attributes
    ----------
    categories : (n_known,)
        Category of each book, -1 if uncategorised.
    rows : (n_indexed,)
        By modality, sorted indices of the books with codes.
    codes : (n_indexed, width)
        float16, from the first network (one suffices), centred, of unit length.
    centres : (width,)
        Mean code, which carries no information about similarity.
    """

    ids: list[str]
    categories: Int32
    rows: dict[str, Int32] = field(default_factory=dict)
    codes: Tensors = field(default_factory=dict)
    centres: dict[str, Float32] = field(default_factory=dict)
    _position: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Index of each id, filled on first use."""

    @classmethod
    def from_blocks(
        cls,
        classifier: FusionClassifier,
        blocks: Mapping[str, Block],
        *,
        ids: Sequence[str],
        y: Int64,
        modalities: Sequence[str],
    ) -> Self:
        """Index the books of `fit`: `y` (n_known,) is -1 if uncategorised, `modalities` are searched."""
        rows, codes, centres = {}, {}, {}
        for name in modalities:
            indexed = np.flatnonzero(blocks[name].present & (y >= 0))
            indexed_blocks = {other: block.take(indexed) for other, block in blocks.items()}
            rows[name] = np.asarray(indexed, np.int32)
            code = classifier.networks_[0].encode(indexed_blocks)[name]
            centres[name] = code.sum(axis=0) / max(1, len(code))
            codes[name] = _unit(code - centres[name]).astype(np.float16)
        return cls(ids=list(ids), categories=y.astype(np.int32), rows=rows, codes=codes, centres=centres)

    def nearest(self, name: str, codes: Float32, ids: Sequence[str], k: int) -> tuple[Int64, Float32]:
        """Return row and cosine of the `k` nearest books, each (n_books, at most k); -inf for padding.

        A book is not its own neighbour.

        Parameters
        ----------
        codes : (n_books, width)
            From the first network.
        """
        rows, indexed_codes = self.rows[name], self.codes[name].astype(np.float32)
        k = min(k, len(rows))
        if not self._position:
            self._position.update({book: row for row, book in enumerate(self.ids)})
        own_row = np.array([self._position.get(book, -1) for book in ids], np.int64)
        column = np.minimum(np.searchsorted(rows, own_row), len(rows) - 1)  # rows are in order
        own_column = np.where(rows[column] == own_row, column, -1) if len(rows) else np.full(len(own_row), -1)
        neighbours = np.empty((len(codes), k), np.int64)
        cosine = np.empty((len(codes), k), np.float32)
        for start in range(0, len(codes), _CHUNK):
            part = slice(start, start + _CHUNK)
            similarity = np.minimum(
                _unit(codes[part] - self.centres[name]) @ indexed_codes.T, 1
            )  # (n, n_shown)
            with_self = np.flatnonzero(own_column[part] >= 0)
            similarity[with_self, own_column[part][with_self]] = -np.inf
            top = (
                np.argpartition(-similarity, k - 1, axis=1)[:, :k]
                if k
                else np.empty((len(similarity), 0), np.int64)
            )
            order = np.argsort(-np.take_along_axis(similarity, top, axis=1), axis=1, kind="stable")
            neighbours[part] = np.take_along_axis(top, order, axis=1)
            cosine[part] = np.take_along_axis(similarity, neighbours[part], axis=1)
        return rows[neighbours].astype(np.int64), cosine

    def state(self) -> tuple[dict[str, Any], Tensors]:
        """Return JSON values and arrays; `from_state` reads them."""
        tensors: Tensors = {"categories": self.categories}
        for name in self.rows:
            tensors |= {f"{name}/rows": self.rows[name], f"{name}/codes": self.codes[name]}
            tensors[f"{name}/centre"] = self.centres[name]
        return {"ids": self.ids, "shown": list(self.rows)}, tensors

    @classmethod
    def from_state(cls, values: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the index that `state` wrote. Raises `ValueError` if its parts are inconsistent."""
        ids, categories = values["ids"], tensors["categories"]
        rows = {name: tensors[f"{name}/rows"] for name in values["shown"]}
        codes = {name: tensors[f"{name}/codes"] for name in values["shown"]}
        centres = {name: tensors[f"{name}/centre"] for name in values["shown"]}
        if not all(isinstance(book, str) for book in ids) or categories.shape != (len(ids),):
            raise ValueError("its categories do not match its books.")
        for name, indices in rows.items():
            if codes[name].shape != (len(indices), *centres[name].shape) or centres[name].ndim != 1:
                raise ValueError(f"its codes of {name} do not match its books.")
            if len(indices) and not 0 <= indices.min() <= indices.max() < len(ids):
                raise ValueError(f"its codes of {name} refer to missing books.")
        return cls(ids=ids, categories=categories, rows=rows, codes=codes, centres=centres)

    def check(self, *, n_classes: int, width: int) -> None:
        """Check that the index matches a model. Raises `ValueError` with the mismatch."""
        if len(self.ids) and not -1 <= self.categories.min() <= self.categories.max() < n_classes:
            raise ValueError("its categories do not match the model.")
        for name, codes in self.codes.items():
            if codes.shape[1] != width:
                raise ValueError(f"its codes of {name} do not match the model's networks.")
            if len(codes) and self.categories[self.rows[name]].min() < 0:
                raise ValueError(f"its codes of {name} include uncategorised books.")


def _unit(codes: Float32) -> Float32:
    return np.asarray(codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9), np.float32)
