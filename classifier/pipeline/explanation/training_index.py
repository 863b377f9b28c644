"""The books that a model was fitted on, to name those that a suggestion rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from classifier.pipeline.features.base import Block, Tensors
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import Float32, Int32, Int64

_CHUNK = 512  # books compared at a time: 100 MB of similarities with 50,000 in the gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Names of all books at `fit`, and codes of the categorised ones that can be shown.

    Attributes
    ----------
    ids : list of str
        Of every book at `fit`, in the order that links count in.
    categories : int32 array (n_known,)
        Of each, -1 where it has none.
    rows : dict of str to int32 array (n_shown,)
        By modality: which of the books its codes are of, in order.
    codes : dict of str to float16 array (n_shown, width)
        By the first network: likeness is to be seen, not judged. Of unit length, counted from the centre.
    centres : dict of str to float32 array (width,)
        Mean code: what all have in common says nothing of who is like whom.
    """

    ids: list[str]
    categories: Int32
    rows: dict[str, Int32] = field(default_factory=dict)
    codes: Tensors = field(default_factory=dict)
    centres: dict[str, Float32] = field(default_factory=dict)
    _place: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Where each of `ids` stands, once somebody has asked."""

    @classmethod
    def of(
        cls,
        classifier: FusionClassifier,
        blocks: Mapping[str, Block],
        *,
        ids: Sequence[str],
        y: Int64,
        shown: Sequence[str],
    ) -> Self:
        """Gather the books that a classifier was fitted on.

        Parameters
        ----------
        classifier : FusionClassifier
        blocks : mapping of str to Block
            As given to `fit`.
        ids : sequence of str
        y : int array (n_known,)
            Category of each book, -1 where it has none.
        shown : sequence of str
            Modalities in which the nearest books are looked for.
        """
        rows, codes, centres = {}, {}, {}
        for name in shown:
            there = np.flatnonzero(blocks[name].present & (y >= 0))
            part = {other: block.take(there) for other, block in blocks.items()}
            rows[name] = np.asarray(there, np.int32)
            code = classifier.networks_[0].encode(part)[name]
            centres[name] = code.sum(axis=0) / max(1, len(code))
            codes[name] = _unit(code - centres[name]).astype(np.float16)
        return cls(ids=list(ids), categories=y.astype(np.int32), rows=rows, codes=codes, centres=centres)

    def nearest(self, name: str, codes: Float32, ids: Sequence[str], k: int) -> tuple[Int64, Float32]:
        """Return the `k` nearest books and their cosines, the nearest first, each (n_books, k at most).

        Parameters
        ----------
        name : str
            Of a modality that is shown.
        codes : float array (n_books, width)
            By the first network.
        ids : sequence of str
            Of the books, which are none of their own neighbours.
        k : int

        Returns
        -------
        int array, float array
            Row among the books at `fit`, and cosine; -inf in the place of a book that is not there.
        """
        rows, known = self.rows[name], self.codes[name].astype(np.float32)
        k = min(k, len(rows))
        if not self._place:
            self._place.update({book: row for row, book in enumerate(self.ids)})
        own = np.array([self._place.get(book, -1) for book in ids], np.int64)
        column = np.minimum(np.searchsorted(rows, own), len(rows) - 1)  # rows are in order
        itself = np.where(rows[column] == own, column, -1) if len(rows) else np.full(len(own), -1)
        best = np.empty((len(codes), k), np.int64)
        cosine = np.empty((len(codes), k), np.float32)
        for start in range(0, len(codes), _CHUNK):
            part = slice(start, start + _CHUNK)
            like = np.minimum(_unit(codes[part] - self.centres[name]) @ known.T, 1)  # (n, n_shown)
            mine = np.flatnonzero(itself[part] >= 0)
            like[mine, itself[part][mine]] = -np.inf
            top = np.argpartition(-like, k - 1, axis=1)[:, :k] if k else np.empty((len(like), 0), np.int64)
            order = np.argsort(-np.take_along_axis(like, top, axis=1), axis=1, kind="stable")
            best[part] = np.take_along_axis(top, order, axis=1)
            cosine[part] = np.take_along_axis(like, best[part], axis=1)
        return rows[best].astype(np.int64), cosine

    def state(self) -> tuple[dict[str, Any], Tensors]:
        """Return JSON values and arrays; `from_state` takes them back."""
        tensors: Tensors = {"categories": self.categories}
        for name in self.rows:
            tensors |= {f"{name}/rows": self.rows[name], f"{name}/codes": self.codes[name]}
            tensors[f"{name}/centre"] = self.centres[name]
        return {"ids": self.ids, "shown": list(self.rows)}, tensors

    @classmethod
    def from_state(cls, values: Mapping[str, Any], tensors: Tensors) -> Self:
        """Take back what `state` gave.

        Raises
        ------
        ValueError
            If its parts do not fit together.
        """
        ids, categories = values["ids"], tensors["categories"]
        rows = {name: tensors[f"{name}/rows"] for name in values["shown"]}
        codes = {name: tensors[f"{name}/codes"] for name in values["shown"]}
        centres = {name: tensors[f"{name}/centre"] for name in values["shown"]}
        if not all(isinstance(book, str) for book in ids) or categories.shape != (len(ids),):
            raise ValueError("its categories are not of its books.")
        for name, of in rows.items():
            if codes[name].shape != (len(of), *centres[name].shape) or centres[name].ndim != 1:
                raise ValueError(f"its codes of {name} are not of its books.")
            if len(of) and not 0 <= of.min() <= of.max() < len(ids):
                raise ValueError(f"its codes of {name} are of books that are not there.")
        return cls(ids=ids, categories=categories, rows=rows, codes=codes, centres=centres)

    def check(self, *, n_classes: int, width: int) -> None:
        """Refuse to be of other categories or networks than a model's.

        Raises
        ------
        ValueError
            With what does not fit.
        """
        if len(self.ids) and not -1 <= self.categories.min() <= self.categories.max() < n_classes:
            raise ValueError("its categories are not the model's.")
        for name, codes in self.codes.items():
            if codes.shape[1] != width:
                raise ValueError(f"its codes of {name} are not by the model's networks.")
            if len(codes) and self.categories[self.rows[name]].min() < 0:
                raise ValueError(f"its codes of {name} are of books without a category.")


def _unit(codes: Float32) -> Float32:
    return np.asarray(codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9), np.float32)
