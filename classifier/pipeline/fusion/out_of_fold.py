"""Out-of-fold predictions for the books a classifier was trained on.

Predicted the ordinary way, training books get the labels that the model has memorised, so a misfiled book
would be confirmed. Cross-fitting computes a prediction for each book by a network and an SVM that have not
seen it; these are kept.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from classifier.pipeline.features.base import Tensors
from classifier.pipeline.records import Float32, Float64, Int32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Predictions for training books.

    Attributes
    ----------
    rows : int32 array (n,)
        Unique indices into the books at `fit`; books without an out-of-fold SVM are missing.
    fold : int32 array (n,)
        Index of the network that has not seen the book.
    prediction : int32 array (n,)
        Most probable category.
    confidence : float32 array (n,)
        Calibrated probability of the prediction.
    label : int32 array (n,)
        Category learned.
    label_probability : float32 array (n,)
        Calibrated probability of the label.
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
        """Return the predictions that `tensors` stored.

        Raises
        ------
        ValueError
            If they do not match the number of books, categories or networks.
        """
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
