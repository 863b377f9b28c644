"""Out-of-fold predictions for the books a classifier was trained on.

Its ordinary predictions repeat memorised labels and would confirm misfiled books; these come from a network
and an SVM that have not seen the book.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from classifier.pipeline.features.base import Tensors
from classifier.pipeline.records import Float32, Float64, Int32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Predictions for training books, each array (n,).

    Attributes
    ----------
    rows
        Unique indices into the books at `fit`; books without an out-of-fold SVM are missing.
    fold
        Index of the network that has not seen the book.
    confidence, label_probability
        Calibrated probabilities of `prediction` and of the learned `label`.
    """

    rows: Int32
    fold: Int32
    prediction: Int32
    confidence: Float32
    label: Int32
    label_probability: Float32

    @classmethod
    def from_probabilities(cls, *, probabilities: Float64, rows: Int64, fold: Int64, truth: Int64) -> Self:
        """Summarise probabilities (n_learned, n_classes); rows of NaN are dropped."""
        finite = np.isfinite(probabilities[:, 0])
        known, truth = probabilities[finite], truth[finite]
        return cls(
            rows=rows[finite].astype(np.int32),
            fold=fold[finite].astype(np.int32),
            prediction=known.argmax(axis=1).astype(np.int32),
            confidence=known.max(axis=1, initial=0).astype(np.float32),
            label=truth.astype(np.int32),
            label_probability=known[np.arange(len(known)), truth].astype(np.float32),
        )

    def tensors(self) -> Tensors:
        """Return arrays by stored name; `from_tensors` reads them."""
        return {stored: getattr(self, name) for name, (stored, _dtype) in _FIELDS.items()}

    @classmethod
    def from_tensors(cls, tensors: Tensors, *, n_books: int, n_classes: int, n_networks: int) -> Self:
        """Return the stored predictions; raises `ValueError` if they do not match the numbers."""
        loaded = cls(**{name: tensors[stored] for name, (stored, _dtype) in _FIELDS.items()})
        limits = {"rows": n_books, "fold": n_networks, "prediction": n_classes, "label": n_classes}
        for name, (stored, dtype) in _FIELDS.items():
            values = getattr(loaded, name)
            if values.dtype != dtype or values.shape != loaded.rows.shape or values.ndim != 1:
                raise ValueError(f"{stored} does not match the books.")
            if len(values) and not 0 <= values.min() <= values.max() < limits.get(name, np.inf):
                raise ValueError(f"{stored} is out of range.")
        if len(np.unique(loaded.rows)) != len(loaded.rows):
            raise ValueError("a book has two predictions.")
        if max(loaded.confidence.max(initial=0), loaded.label_probability.max(initial=0)) > 1:
            raise ValueError("a probability exceeds 1.")
        return loaded


#: Array name in a stored model (fixed: older models must load) and type, by field.
_FIELDS: dict[str, tuple[str, type[np.generic]]] = {
    "rows": ("rows", np.int32),
    "fold": ("fold", np.int32),
    "prediction": ("answer", np.int32),
    "confidence": ("sure", np.float32),
    "label": ("told", np.int32),  # codespell:ignore told
    "label_probability": ("own", np.float32),
}
