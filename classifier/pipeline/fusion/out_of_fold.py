"""What a classifier says of the books that it learned from, without having been told their categories.

Asked the ordinary way it says of them what it has learned by heart: a book filed wrongly would be confirmed.
So the answers are kept that the fit makes anyway, each by a network and a machine that had not seen the book.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from classifier.pipeline.features.base import Tensors
from classifier.pipeline.records import Float32, Float64, Int32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Answers for books that were learned from.

    Attributes
    ----------
    rows : int32 array (n,)
        Which of the books at `fit`, each once; without those that no machine judges unseen.
    fold : int32 array (n,)
        Number of the network that has not seen the book.
    answer : int32 array (n,)
        Its likeliest category.
    sure : float32 array (n,)
        Calibrated probability of that.
    told : int32 array (n,)
        The category that was learned.
    own : float32 array (n,)
        Calibrated probability of that one.
    """

    rows: Int32
    fold: Int32
    answer: Int32
    sure: Float32
    told: Int32
    own: Float32

    @classmethod
    def of(cls, *, probabilities: Float64, rows: Int64, fold: Int64, truth: Int64) -> Self:
        """Keep what is worth keeping of probabilities (n_learned, n_classes); NaN of a book without."""
        there = np.isfinite(probabilities[:, 0])
        found, truth = probabilities[there], truth[there]
        return cls(
            rows=rows[there].astype(np.int32),
            fold=fold[there].astype(np.int32),
            answer=found.argmax(axis=1).astype(np.int32),
            sure=found.max(axis=1, initial=0).astype(np.float32),
            told=truth.astype(np.int32),
            own=found[np.arange(len(found)), truth].astype(np.float32),
        )

    def tensors(self) -> Tensors:
        """Return arrays by name; `from_tensors` takes them back."""
        return {name: getattr(self, name) for name in _TYPES}

    @classmethod
    def from_tensors(cls, tensors: Tensors, *, n_books: int, n_classes: int, n_networks: int) -> Self:
        """Take back what `tensors` gave.

        Raises
        ------
        ValueError
            If it is not of so many books, categories and networks.
        """
        found = cls(**{name: tensors[name] for name in _TYPES})
        below = {"rows": n_books, "fold": n_networks, "answer": n_classes, "told": n_classes}
        for name, kind in _TYPES.items():
            values = getattr(found, name)
            if values.dtype != kind or values.shape != found.rows.shape or values.ndim != 1:
                raise ValueError(f"{name} is not of its books.")
            if len(values) and not 0 <= values.min() <= values.max() < below.get(name, np.inf):
                raise ValueError(f"{name} is out of range.")
        if len(np.unique(found.rows)) != len(found.rows):
            raise ValueError("it has two answers for one book.")
        if max(found.sure.max(initial=0), found.own.max(initial=0)) > 1:
            raise ValueError("it is surer than sure.")
        return found


_TYPES = {
    "rows": np.int32, "fold": np.int32, "answer": np.int32, "sure": np.float32, "told": np.int32,
    "own": np.float32,
}  # fmt: skip
