"""The support vector machine over the fused representation, and its calibration."""

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.svm import SVC, LinearSVC

from classifier.pipeline.config import SvmConfig
from classifier.pipeline.records import Float32, Float64, Int64
from classifier.pipeline.splits import stratified_folds

_CALIBRATION_FOLDS = 3  # the machine has few parameters; more folds change the temperature by under 1 %


class CalibratedSvm:
    """A support vector machine whose decision values become probabilities.

    ``softmax(sharpness * decision)``: one number keeps the order of the categories as the machine has it.
    It is fitted on decision values of books that the machine which judged them had not seen.

    Parameters
    ----------
    settings : SvmConfig
    seed : int

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature scaling).
    """

    def __init__(self, *, settings: SvmConfig, seed: int) -> None:
        self.settings = settings
        self.seed = seed

    def fit(self, X: Float32, y: Int64, *, n_classes: int) -> Self:
        """Learn from a representation X (n_books, d) and categories y (n_books,).

        A category with no book among them gets less than the lowest decision value of each book.
        """
        rng = np.random.default_rng(self.seed)
        if len(y) > self.settings.max_books:
            chosen = np.sort(rng.choice(len(y), self.settings.max_books, replace=False))
            X, y = X[chosen], y[chosen]
        self.n_classes_ = n_classes
        folds = stratified_folds(y, folds=min(_CALIBRATION_FOLDS, len(y)), rng=rng)
        self.sharpness_ = 1.0
        if all(len(np.unique(y[folds != k])) > 1 for k in range(folds.max() + 1)):
            unseen = np.zeros((len(y), n_classes))
            for k in range(folds.max() + 1):
                self._fit_machine(X[folds != k], y[folds != k])
                unseen[folds == k] = self.decision(X[folds == k])
            self.sharpness_ = _best_sharpness(unseen, y)
        self._fit_machine(X, y)
        return self

    def decision(self, X: Float32) -> Float64:
        """Return decision values (n_books, n_classes); the largest is the machine's answer."""
        values = np.asarray(self.machine_.decision_function(X), np.float64)
        if values.ndim == 1:  # two classes: scikit-learn gives one column
            values = np.column_stack([-values, values])
        # Each book's own lowest value: what a book gets must not depend on who is asked about with it.
        lowest = values.min(axis=1, initial=0.0)
        all_values = np.repeat(lowest[:, None] - 1, self.n_classes_, axis=1)
        all_values[:, self.machine_.classes_] = values
        return all_values

    def predict_proba(self, X: Float32) -> Float64:
        """Return calibrated probabilities (n_books, n_classes)."""
        return np.asarray(softmax(self.sharpness_ * self.decision(X), axis=1))

    def _fit_machine(self, X: Float32, y: Int64) -> None:
        classes, books = np.unique(y, return_counts=True)
        weights = (len(y) / (len(classes) * books)) ** self.settings.balance
        common: dict[str, Any] = {
            "C": self.settings.C,
            "class_weight": dict(zip(classes.tolist(), weights.tolist(), strict=True)),
            "random_state": self.seed,
        }
        if self.settings.kernel == "linear":
            self.machine_ = LinearSVC(**common, max_iter=5000)
        else:
            self.machine_ = SVC(**common, kernel="rbf", gamma="scale", decision_function_shape="ovr")
        self.machine_.fit(X, y)


def _best_sharpness(decision: Float64, y: Int64) -> float:
    """Return the factor that makes the right categories likeliest."""
    rows = np.arange(len(y))

    def loss(log_factor: float) -> float:
        return float(-log_softmax(np.exp(log_factor) * decision, axis=1)[rows, y].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 6), method="bounded").x))
